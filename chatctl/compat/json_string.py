"""Format a string as JSON, without an encoder object.

Library: CPython 3.11 to 3.15, json. Private name: `json.encoder.encode_basestring`, which is not documented.

Symptom without it: `json.dumps` of each message takes ten times as long, as it makes an encoder for each call.

Delete it when the json module documents such a function.
"""

import json.encoder

json_string = json.encoder.encode_basestring
"""Return the string in quotes, with its control characters, quotes and backslashes escaped, and all others as they are."""
