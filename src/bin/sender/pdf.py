# Makes a PDF of a document and seals it, apart from the world: sales_crm_sender runs this text in a
# process of its own with limits of memory and time and, where the system permits, without network.
#
# Standard input: JSON with html, author, snapshot_sha256 (hex), and seal, either null or
# {nssdir, nickname, reason}. Standard output: a line with none, sealed or unsealed and why, and the
# PDF. Whatever goes wrong with the document ends with a status that is not 0; whatever goes wrong
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


def fetch(url, *arguments, **options):
    """Gives WeasyPrint what data: URLs hold, and nothing else."""
    from weasyprint import default_url_fetcher

    if url[:5].lower() != "data:" or len(url) > MAX_DATA_URL:
        raise ValueError("only data: URLs are fetched")
    return default_url_fetcher(url)


class Document:
    def __init__(self, job):
        from weasyprint import HTML

        self.job = job
        # A base that resolves to nothing: relative addresses are not files of this machine
        self.laid_out = HTML(string=job["html"], base_url="about:blank", url_fetcher=fetch).render()

    def bytes(self, with_field=False):
        """The PDF; with_field: with the field that pdfsig is to sign."""
        import pydyf

        def finish(document, pdf):
            pdf.info["Author"] = pydyf.String(self.job["author"])
            pdf.info["SnapshotSHA256"] = pydyf.String(self.job["snapshot_sha256"])
            if document.metadata.lang:
                pdf.catalog["Lang"] = pydyf.String(document.metadata.lang)
            if not with_field:
                return
            page = pdf.page_references[-1]
            field = pydyf.Dictionary({
                "Type": "/Annot", "Subtype": "/Widget", "FT": "/Sig", "F": 132,
                "T": pydyf.String(FIELD), "Rect": pydyf.Array([0, 0, 0, 0]), "P": page})
            pdf.add_object(field)
            pdf.catalog["AcroForm"] = pydyf.Dictionary(
                {"Fields": pydyf.Array([field.reference]), "SigFlags": 3})
            last = next(o for o in pdf.objects if getattr(o, "number", None) == int(page.split()[0]))
            last.setdefault("Annots", pydyf.Array()).append(field.reference)

        return self.laid_out.write_pdf(finisher=finish)


def seal(document, options):
    """Returns the PDF sealed and 'sealed', or the plain one and why it is not."""
    if options is None:
        return document.bytes(), "none"
    database = ["-nssdir", options["nssdir"]]
    try:
        with tempfile.TemporaryDirectory(prefix="sales_crm_pdf.") as folder:
            plain, sealed = os.path.join(folder, "plain.pdf"), os.path.join(folder, "sealed.pdf")
            with open(plain, "wb") as file:
                file.write(document.bytes(with_field=True))
            run(["pdfsig", *database, "-sign", FIELD, "-etsi", "-nick", options["nickname"],
                 "-reason", options["reason"], plain, sealed])
            # What is called sealed has been verified once
            words = run(["pdfsig", *database, "-no-ocsp", "-nocert", sealed])
            for needed in ("Signature is Valid", "Total document signed"):
                if needed not in words:
                    raise ValueError(f"pdfsig does not say: {needed}")
            with open(sealed, "rb") as file:
                return file.read(), "sealed"
    except Exception as problem:  # whatever it is, the document must not wait for its seal
        return document.bytes(), "unsealed: " + " ".join(str(problem).split())[:500]


def run(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    words = (done.stdout + done.stderr).decode("utf-8", "replace")
    if done.returncode != 0:
        raise ValueError(f"{command[0]} ends with {done.returncode}: {words[-300:]}")
    return words


def main():
    logging.disable(logging.CRITICAL)
    job = json.load(sys.stdin.buffer)
    with Apart():
        document = Document(job)
    pdf, result = seal(document, job["seal"])
    sys.stdout.buffer.write(result.encode() + b"\n" + pdf)


main()
