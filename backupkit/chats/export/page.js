"use strict";
// The page reads well without this. It adds the way to a date, and arrow keys from page to page.
(() => {
  const starts = JSON.parse(document.getElementById("starts").textContent);
  const tools = document.getElementById("tools");
  const date = document.getElementById("date");
  const place = (day) => {
    // Days on this page are headings; a day without messages leads to the next one that has some.
    for (const heading of document.querySelectorAll(".day > h2")) {
      if (heading.id.slice(1) >= day) { heading.scrollIntoView(); heading.focus({ preventScroll: true }); return; }
    }
    window.scrollTo(0, document.body.scrollHeight);
  };
  tools.hidden = false;
  date.addEventListener("change", () => {
    if (!/^\d{4}-\d\d-\d\d$/.test(date.value)) return;
    let page = 0;
    while (page + 1 < starts.days.length && starts.days[page + 1] <= date.value) page += 1;
    // A day may begin on the page before the one that starts with it.
    while (page > 0 && starts.days[page] === date.value && starts.ends[page - 1] === date.value) page -= 1;
    if (page === starts.here) { place(date.value); return; }
    location.href = String(page + 1).padStart(4, "0") + ".html#d" + date.value;
  });
  const wanted = /^#d(\d{4}-\d\d-\d\d)$/.exec(location.hash);
  if (wanted && !document.getElementById("d" + wanted[1])) place(wanted[1]);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA|AUDIO|VIDEO)$/.test(event.target.tagName)) return;
    const link = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
    const found = link && document.querySelector(`.pages a[rel=${link}]`);
    if (found) location.href = found.href;
    if (event.key === "/") { event.preventDefault(); location.href = document.getElementById("search").href; }
  });
})();
