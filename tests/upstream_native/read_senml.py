"""Reads packs of SenML with what others have written: zstandard, cbor2, and the package senml, which resolves base fields.

That package takes base fields from the first record only, so a pack is handed to it in parts, each from one base name to the next; each
part is a pack by itself, for every base name has its base time beside it. CBOR becomes JSON by the table of RFC 8428, section 6.
Each record becomes a line of JSON.  Usage: read_senml.py FORM FILE...
"""
import base64
import json
import sys
from decimal import Decimal

import cbor2
import zstandard
from senml.senml import SenMLDocument

# RFC 8428, table 4.
LABELS = {-1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs", 0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd"}


def plain(value):
    return float(value) if isinstance(value, Decimal) else value


def records(form, message):
    if form.endswith("-zstd"):
        message = zstandard.ZstdDecompressor().decompress(message, max_output_size=4 << 20)
    if "json" in form:
        return json.loads(message)
    return [{LABELS.get(label, label): plain(value) for label, value in record.items()} for record in cbor2.loads(message)]


def parts(pack):
    part = []
    for record in pack:
        if "bn" in record and part:
            yield part
            part = []
        part.append(record)
    yield part


def data(record):
    value = record["vd"]
    return value if isinstance(value, bytes) else base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


form = sys.argv[1]
for name in sys.argv[2:]:
    with open(name, "rb") as file:
        pack = records(form, file.read())
    seq = pack[0]["dmgw-first"]
    for part in parts(pack):
        # What the package cannot read: bytes.
        known = [{**record, "vs": data(record).hex()} if "vd" in record else record for record in part]
        document = SenMLDocument.from_json(known)
        for record, measured in zip(part, document.measurements):
            whole = measured.to_absolute(document.base)
            told = {"seq": seq, "name": whole.name, "time": whole.time, "unit": whole.unit, "value": whole.value}
            told["own"] = {label: value for label, value in record.items() if str(label).startswith("dmgw-")}
            print(json.dumps(told))
            seq += 1
