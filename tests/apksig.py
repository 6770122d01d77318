"""Android's own tool as a judge in one process: apksigner's library, asked for many packages and ranges of levels.

The command line of apksigner starts a Java machine for each package; here one answers a line for a line.
"""

import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

LIBRARY = Path("/usr/share/java/apksig.jar")

_PROGRAM = """
import com.android.apksig.ApkVerifier;
import java.io.*;
import java.security.MessageDigest;
import java.security.cert.X509Certificate;
import java.util.*;

public class Judge {
    public static void main(String[] none) throws Exception {
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in));
        for (String line = questions.readLine(); line != null; line = questions.readLine()) {
            System.out.println(answer(line.split("\\t")));
            System.out.flush();
        }
    }

    static String answer(String[] question) {
        try {
            ApkVerifier.Builder builder = new ApkVerifier.Builder(new File(question[0]));
            if (question[1].equals("stamp")) {
                ApkVerifier.Result result = builder.build().verifySourceStamp();
                return told(result.isSourceStampVerified(), "", result);
            }
            if (question[1].equals("idsig")) {
                ApkVerifier.Result result = builder.setV4SignatureFile(new File(question[2])).build().verify();
                return told(result.isVerified() && result.isVerifiedUsingV4Scheme(), "", result);
            }
            if (!question[1].equals("-")) builder.setMinCheckedPlatformVersion(Integer.parseInt(question[1]));
            if (!question[2].equals("-")) builder.setMaxCheckedPlatformVersion(Integer.parseInt(question[2]));
            ApkVerifier.Result result = builder.build().verify();
            StringJoiner signers = new StringJoiner(",");
            for (X509Certificate signer : result.getSignerCertificates()) {
                StringBuilder hex = new StringBuilder();
                for (byte one : MessageDigest.getInstance("SHA-256").digest(signer.getEncoded()))
                    hex.append(String.format("%02x", one));
                signers.add(hex);
            }
            return told(result.isVerified(), signers.toString(), result);
        } catch (Throwable failure) {
            return "refused\\t\\t" + failure.getClass().getSimpleName();
        }
    }

    static String told(boolean isGenuine, String signers, ApkVerifier.Result result) {
        StringJoiner issues = new StringJoiner(",");
        for (ApkVerifier.IssueWithParams issue : result.getAllErrors()) issues.add(issue.getIssue().name());
        return (isGenuine ? "verified" : "refused") + "\\t" + signers + "\\t" + issues;
    }
}
"""


class Opinion(NamedTuple):
    """What apksigner says: whether it is genuine, the certificates' digests, and the issues or the exception."""

    is_genuine: bool
    signers: list[str]
    issues: frozenset[str]


def is_here() -> bool:
    """Whether the library and a Java compiler are installed."""
    return LIBRARY.exists() and shutil.which("javac") is not None


class ApkSig:
    """A running judge. Use it as a context."""

    def __init__(self, folder: Path) -> None:
        (folder / "Judge.java").write_text(_PROGRAM)
        subprocess.run(["javac", "-cp", LIBRARY, "-d", folder, folder / "Judge.java"], check=True)
        self._process = subprocess.Popen(
            ["java", "-Xmx400m", "-cp", f"{LIBRARY}:{folder}", "Judge"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(timeout=20)
        self._process.stdout.close()

    def ask(self, path: Path, first: int | None, last: int | None) -> Opinion:
        """Ask about one package, over a range of levels or its own."""
        return self._ask(path, first or "-", last or "-")

    def ask_stamp(self, path: Path) -> Opinion:
        """Ask whether a package's source stamp holds."""
        return self._ask(path, "stamp", "")

    def ask_idsig(self, path: Path, idsig: Path) -> Opinion:
        """Ask whether an `.idsig` file belongs to a package that is genuine."""
        return self._ask(path, "idsig", idsig)

    def _ask(self, *question: object) -> Opinion:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("\t".join(map(str, question)) + "\n")
        self._process.stdin.flush()
        verdict, signers, issues = self._process.stdout.readline().rstrip("\n").split("\t")
        return Opinion(verdict == "verified", [one for one in signers.split(",") if one], frozenset(issues.split(",")))
