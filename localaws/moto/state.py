"""What moto holds of all accounts, for the Go part of the local AWS, which no API of AWS shows at once: WSGI middleware at /localaws/.

    GET  /localaws/organizations       all organizations: units, accounts, attached policies, services, administrators
    POST /localaws/organizations       makes an organization with its members
    GET  /localaws/buckets/NAME        the account that owns a bucket, "" if there is none
    POST /localaws/looks               one thing of one account: see looks.py
    GET  /localaws/stack-events/N      the statuses that stacks have had, without the first N
"""

import json
import traceback

from moto.s3.models import s3_backends

import looks
import organizations
import stacks


class State:
    def __init__(self, application):
        self._application = application

    def __call__(self, environ, start_response):
        _, _, path = environ["PATH_INFO"].partition("/localaws/")
        if not path:
            return self._application(environ, start_response)
        try:
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            answer, status = self._answer(path, json.loads(body) if body else None), "200 OK"
        except Exception as e:
            traceback.print_exc()
            answer, status = f"{type(e).__name__}: {e}", "500 Internal Server Error"
        content = json.dumps(answer).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
        return [content]

    @staticmethod
    def _answer(path, sent):
        what, _, name = path.partition("/")
        match what:
            case "organizations" if sent is not None:
                return organizations.create(**sent)
            case "organizations":
                return [organizations.describe(backend) for backend in organizations.all_backends()]
            case "buckets":
                return s3_backends.bucket_accounts.get(name, (None, ""))[1]
            case "looks":
                return looks.look(**sent)
            case "stack-events":
                return stacks.JOURNAL[int(name):]
        raise ValueError(f"there is no {path}")
