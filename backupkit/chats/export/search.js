"use strict";
// Searches every message of one conversation. Texts are only ever put on the page as text.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const words = data.words, form = document.getElementById("find"), box = document.getElementById("q");
  const from = document.getElementById("from"), until = document.getElementById("until"), who = document.getElementById("who");
  const hits = document.getElementById("hits"), told = document.getElementById("told"), more = document.getElementById("more");
  const flat = (text) => text.normalize("NFKC").toLowerCase();
  let folded = null, found = [], next = 0, wanted = "";
  form.hidden = false;
  data.people.forEach((name, number) => {
    const option = document.createElement("option");
    option.value = String(number); option.textContent = name; who.append(option);
  });
  const marked = (text, into) => {
    const lower = flat(text);
    // Where folding changes lengths, places would be wrong: such a text is shown without marks.
    if (!wanted || lower.length !== text.length) { into.textContent = text; return; }
    const first = lower.indexOf(wanted), start = Math.max(0, first - 120);
    let at = start;
    if (start) into.append("…");
    for (let place = first; place >= 0 && place < start + 600; place = lower.indexOf(wanted, place + wanted.length)) {
      into.append(text.slice(at, place));
      const mark = document.createElement("mark");
      mark.textContent = text.slice(place, place + wanted.length);
      into.append(mark);
      at = place + wanted.length;
    }
    into.append(text.slice(at, start + 800) + (text.length > start + 800 ? "…" : ""));
  };
  const show = () => {
    for (const number of found.slice(next, next + 100)) {
      const [text, person, day, time] = data.messages[number];
      const item = document.createElement("li"), link = document.createElement("a"), head = document.createElement("div");
      const bubble = document.createElement("div"), words = document.createElement("p");
      link.href = `${String(Math.floor(number / data.size) + 1).padStart(4, "0")}.html#m${number + 1}`;
      head.className = "who"; head.textContent = [data.people[person], day, time].filter(Boolean).join("  ");
      bubble.className = "b"; words.className = "t"; words.dir = "auto";
      marked(text, words);
      bubble.append(words); link.append(head, bubble); item.append(link); hits.append(item);
    }
    next += 100;
    more.hidden = next >= found.length;
  };
  const search = () => {
    wanted = flat(box.value.trim());
    folded = folded || data.messages.map((message) => flat(message[0]));
    found = []; next = 0; hits.textContent = "";
    const person = who.value === "" ? -1 : Number(who.value);
    if (wanted || person >= 0 || from.value || until.value) {
      for (let number = 0; number < folded.length; number += 1) {
        const message = data.messages[number];
        if (person >= 0 && message[1] !== person) continue;
        if (from.value && message[2] < from.value) continue;
        if (until.value && (message[2] === "" || message[2] > until.value)) continue;
        if (folded[number].includes(wanted)) found.push(number);
      }
    }
    told.textContent = words.found.replace("0", found.length.toLocaleString(document.documentElement.lang));
    try { history.replaceState(null, "", "#q=" + encodeURIComponent(box.value)); } catch { /* some browsers keep files apart */ }
    show();
  };
  let waiting = 0;
  const soon = () => { clearTimeout(waiting); waiting = setTimeout(search, 120); };
  for (const field of [box, from, until, who]) field.addEventListener("input", soon);
  form.addEventListener("submit", (event) => { event.preventDefault(); search(); });
  more.addEventListener("click", show);
  const asked = /^#q=(.*)$/.exec(location.hash);
  if (asked) { try { box.value = decodeURIComponent(asked[1]); } catch { box.value = ""; } search(); }
  box.focus();
})();
