# Makes a PDF of a document and seals it, apart from the world: sales_crm_sender runs this text in a
# process of its own with limits of memory and time and, where the system permits, without network.
#
# Standard input: JSON with html, author, html_sha256 (hex), and seal, either null or
# {nssdir, nickname, reason}. Standard output: a line with none, who sealed it, or unsealed and why; and
# the PDF. Whatever goes wrong with the document ends with a status that is not 0; whatever goes wrong
# with the seal leaves the document unsealed.
import json
import logging
import os
import subprocess
import sys
import tempfile

FIELD = "seal"
MAX_DATA_URL = 20 * 1024 * 1024
NETWORK = ("socket.", "urllib.", "http.", "ftplib.", "smtplib.")
PROCESS = ("os.exec", "os.fork", "os.posix_spawn", "os.system", "subprocess.Popen")


class Apart:
    """Refuses network and processes while the document, which strangers' words fill, is laid out."""

    def __init__(self):
        self.active = False
        sys.addaudithook(self.audit)

    def audit(self, event, arguments):
        if self.active and event.startswith(NETWORK + PROCESS):
            raise PermissionError(f"{event} is not for documents")

    def __enter__(self):
        self.active = True

    def __exit__(self, *reason):
        self.active = False


APART = Apart()


def fetch(url, *arguments, **options):
    """Gives WeasyPrint what data: URLs hold, and nothing else."""
    from weasyprint import default_url_fetcher

    if url[:5].lower() != "data:" or len(url) > MAX_DATA_URL:
        raise ValueError("only data: URLs are fetched")
    return default_url_fetcher(url)


def lay_out(job, with_field=False):
    """The PDF; with_field: with the field that pdfsig is to sign."""
    import pydyf
    from weasyprint import HTML

    def finish(document, pdf):
        pdf.info["Author"] = pydyf.String(job["author"])
        pdf.info["HtmlSHA256"] = pydyf.String(job["html_sha256"])
        if document.metadata.lang:
            pdf.catalog["Lang"] = pydyf.String(document.metadata.lang)
        if with_field:
            add_field(pdf)

    def add_field(pdf):
        page = pdf.page_references[-1]
        field = pydyf.Dictionary({
            "Type": "/Annot", "Subtype": "/Widget", "FT": "/Sig", "F": 132,
            "T": pydyf.String(FIELD), "Rect": pydyf.Array([0, 0, 0, 0]), "P": page})
        pdf.add_object(field)
        pdf.catalog["AcroForm"] = pydyf.Dictionary(
            {"Fields": pydyf.Array([field.reference]), "SigFlags": 3})
        last = next(o for o in pdf.objects if getattr(o, "number", None) == int(page.split()[0]))
        last.setdefault("Annots", pydyf.Array()).append(field.reference)

    with APART:
        # A base that resolves to nothing: relative addresses are not files of this machine
        html = HTML(string=job["html"], base_url="about:blank", url_fetcher=fetch)
        return html.write_pdf(finisher=finish)


def make(job):
    """Returns the PDF sealed and who did it, or the plain one and why it is not."""
    options = job["seal"]
    if options is None:
        return lay_out(job), "none"
    database = ["-nssdir", options["nssdir"]]
    try:
        with tempfile.TemporaryDirectory(prefix="sales_crm_pdf.") as folder:
            plain, sealed = os.path.join(folder, "plain.pdf"), os.path.join(folder, "sealed.pdf")
            with open(plain, "wb") as file:
                file.write(lay_out(job, with_field=True))
            run(["pdfsig", *database, "-sign", FIELD, "-etsi", "-nick", options["nickname"],
                 "-reason", options["reason"], plain, sealed])
            # What is called sealed has been verified once
            words = run(["pdfsig", *database, "-no-ocsp", "-nocert", sealed])
            for needed in ("Signature is Valid", "Total document signed"):
                if needed not in words:
                    raise ValueError(f"pdfsig does not say: {needed}")
            with open(sealed, "rb") as file:
                return file.read(), sealer_of(words)
    except Exception as problem:  # whatever it is, the document must not wait for its seal
        return lay_out(job), "unsealed: " + " ".join(str(problem).split())[:500]


def sealer_of(words):
    """Of what pdfsig says: the name in the certificate and the kind of signature."""
    said = dict(line.strip(" -").split(": ", 1) for line in words.splitlines() if ": " in line)
    return "sealed by {} ({})".format(
        said.get("Signer Certificate Common Name", "nobody"), said.get("Signature Type", "of no type"))


def run(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    words = (done.stdout + done.stderr).decode("utf-8", "replace")
    if done.returncode != 0:
        raise ValueError(f"{command[0]} ends with {done.returncode}: {words[-300:]}")
    return words


def main():
    logging.disable(logging.CRITICAL)
    job = json.load(sys.stdin.buffer)
    pdf, result = make(job)
    sys.stdout.buffer.write(result.encode() + b"\n" + pdf)


main()
