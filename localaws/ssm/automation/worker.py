"""Runs the scripts of aws:executeScript, each in a thread, against a world that is somebody else's.

A line of JSON from standard input starts a script, answers it, or stops it; a line to standard output says what a script
waits for: the answer of a request, the end of a sleep, or nothing any more. Both name the run by its id. Whoever reads the
lines answers a script's requests, lets its sleeps pass and owns its clock; its random numbers follow from a seed, and what
it prints goes to standard error. The process ends when its standard input does.
"""

import base64
import ctypes
import datetime
import functools
import gc
import io
import json
import os
import queue
import random
import sys
import threading
import time
import traceback
import uuid

MAX_OUTPUT = 100_000  # bytes; https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-executeScript.html
MAX_TEXT, MAX_MESSAGE = 3_000, 4_000  # characters of a failure: its text, and with the traceback
FILE = "script.py"

lines_in = os.fdopen(os.dup(0), "rb")
lines_out = os.fdopen(os.dup(1), "wb")
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.dup2(2, 1)

here = threading.local()
sending = threading.Lock()


def run_here():
    """The run whose thread this is; None in a thread of the worker itself."""
    return getattr(here, "run", None)


def send(message):
    line = json.dumps(message).encode() + b"\n"
    with sending:
        lines_out.write(line)
        lines_out.flush()


class Stop(SystemExit):
    """Ends a script that was stopped."""


class Run(threading.Thread):
    def __init__(self, id, now, script, handler, events, seed, credentials):
        super().__init__(daemon=True)
        self.id, self.now, self.credentials = id, now, credentials
        self.script, self.handler, self.events = script, handler, events
        self.random = random.Random(seed)
        self.answers = queue.SimpleQueue()
        self.clients = []  # those that were lent to it
        self.waiting = self.stopped = False

    def run(self):
        here.run = self
        end = {"failure": "Failure message: what was raised cannot be described"}
        try:
            try:
                try:
                    end = self.execute()
                finally:
                    if not self.stopped:
                        take_back(self.clients)
            except BaseException as error:
                end = {"failure": describe(error, self.script)}
        finally:
            runs.pop(self.id, None)
            send({"id": self.id, "end": end})

    def execute(self):
        boto3.DEFAULT_SESSION = session
        namespace = {"__name__": "script", "__file__": FILE}
        exec(compiled(self.script), namespace)
        output = namespace[self.handler](self.events, None)
        try:
            payload = json.dumps(output, allow_nan=False, ensure_ascii=False)
            size = len(payload.encode())
        except (TypeError, ValueError, RecursionError) as error:
            return {"failure": f"the output is no JSON: {error}"}
        if size > MAX_OUTPUT:
            return {"failure": f"the output has {size} bytes: at most {MAX_OUTPUT} are allowed"}
        return {"payload": payload}

    def ask(self, **question):
        """Waits for an answer, and takes over what time it is then."""
        if not self.stopped:
            self.waiting = True
            send({"id": self.id, **question})
            answer = self.answers.get()
            self.waiting = False
        if self.stopped:
            raise Stop("stopped")
        self.now = answer["now"]
        return answer

    def stop(self):
        self.stopped = True
        if self.waiting:
            self.answers.put(None)
        else:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident), ctypes.py_object(Stop))


@functools.lru_cache(maxsize=64)
def compiled(script):
    return compile(script, FILE, "exec")


def describe(error, script):
    """What was raised, and as many of the script's last lines in the traceback as there is room for."""
    message = f"Failure message: {type(error).__name__}: {error}"[:MAX_TEXT]
    lines, room, kept = script.splitlines(), MAX_MESSAGE - len(message), []
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename != FILE:
            continue
        text = f"  File {FILE}, line {frame.lineno}, in {frame.name}\n    {lines[frame.lineno - 1].strip()}"
        room -= len(text) + 1
        if room < 0:
            break
        kept.insert(0, text)
    return "\n".join([message, *kept])


# Modules that are imported below take these functions over: so they are replaced first.


def replace_clock():
    def of_run(function, from_nanoseconds):
        def read():
            run = run_here()
            return from_nanoseconds(run.now) if run else function()

        return read

    for name in ("time", "monotonic", "perf_counter"):
        setattr(time, name, of_run(getattr(time, name), lambda now: now / 1e9))
        setattr(time, name + "_ns", of_run(getattr(time, name + "_ns"), lambda now: now))

    def with_time(function, others, now):
        def spell(*arguments):
            if run_here() and len(arguments) == others:
                arguments += (now(),)
            return function(*arguments)

        return spell

    for name, others, now in (
        ("gmtime", 0, time.time), ("localtime", 0, time.time), ("ctime", 0, time.time),
        ("strftime", 1, lambda: time.localtime()),
    ):
        setattr(time, name, with_time(getattr(time, name), others, now))

    sleep = time.sleep

    def sleep_here(seconds):
        run = run_here()
        if not run:
            return sleep(seconds)
        if not 0 <= seconds < float("inf"):
            raise ValueError("sleep length must be non-negative")
        run.ask(sleep=float(seconds))

    time.sleep = sleep_here


def replace_datetime():
    # What C code makes is a date, too, although not of the class that stands in for date.
    class Kind(type):
        def __instancecheck__(cls, instance):
            return isinstance(instance, cls.__dict__.get("replaced", ())) or type.__instancecheck__(cls, instance)

        def __subclasscheck__(cls, other):
            return issubclass(other, cls.__dict__.get("replaced", ())) or type.__subclasscheck__(cls, other)

    class Date(datetime.date, metaclass=Kind):
        replaced = datetime.date

        @classmethod
        def today(cls):
            return cls.fromtimestamp(time.time())

    class DateTime(datetime.datetime, metaclass=Kind):
        replaced = datetime.datetime

        @classmethod
        def now(cls, tz=None):
            return cls.fromtimestamp(time.time(), tz)

        @classmethod
        def today(cls):
            return cls.now()

        @classmethod
        def utcnow(cls):
            return cls.now(datetime.timezone.utc).replace(tzinfo=None)

    datetime.date, datetime.datetime = Date, DateTime


def replace_random():
    def drawn(name, function):
        def draw(*arguments, **options):
            run = run_here()
            return (getattr(run.random, name) if run else function)(*arguments, **options)

        return draw

    for name in ("random", "uniform", "randint", "randrange", "getrandbits", "choice", "choices", "sample", "shuffle", "seed"):
        setattr(random, name, drawn(name, getattr(random, name)))

    uuid4 = uuid.uuid4

    def uuid4_here():
        run = run_here()
        return uuid.UUID(int=run.random.getrandbits(128), version=4) if run else uuid4()

    uuid.uuid4 = uuid4_here


replace_clock()
replace_datetime()
replace_random()

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.client
import botocore.config
import botocore.hooks
import botocore.httpsession
import botocore.regions
import botocore.session
import botocore.useragent
from botocore.context import get_context


class Body(io.BytesIO):
    def stream(self, *_, **__):
        yield self.read()


class HTTPSession:
    """Stands in for botocore's: no request reaches a network."""

    def __init__(self, *_, **__):
        self.remembers = False

    def send(self, request):
        body = request.body
        if hasattr(body, "read"):
            body = body.read()
        if isinstance(body, str):
            body = body.encode()
        response = run_here().ask(request={
            "method": request.method, "url": request.url, "body": base64.b64encode(body or b"").decode(),
            "headers": {str(name): text(value) for name, value in request.headers.items()},
        })["response"]
        # From now on the client may retry less, or look elsewhere.
        self.remembers = self.remembers or not 200 <= response["status"] < 300 and response["status"] != 404
        raw = Body(base64.b64decode(response["body"] or ""))
        answer = botocore.awsrequest.AWSResponse(request.url, response["status"], response["headers"] or {}, raw)
        if not request.stream_output:
            answer.content
        return answer

    def close(self):
        pass


def text(value):
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def replace_botocore():
    for name in ("__init__", "send", "close"):
        setattr(botocore.httpsession.URLLib3Session, name, getattr(HTTPSession, name))

    get_credentials, create_client = botocore.session.Session.get_credentials, botocore.session.Session.create_client
    creating = threading.Lock()

    def get_credentials_here(self):
        run = run_here()
        return None if run and not run.credentials else get_credentials(self)

    # Sessions are not safe for concurrent use, and scripts share one: its models are read once.
    def create_client_alone(self, *arguments, **options):
        run = run_here()
        with creating:
            if not run or self is not session._session:
                return create_client(self, *arguments, **options)
            return borrow(run, lambda: create_client(self, *arguments, **options), [arguments, options, run.credentials])

    # A request names the key that it is signed with, and nobody looks at the signature.
    signer = botocore.auth.SigV4Auth
    signer.canonical_request = lambda self, request: ""
    signer.string_to_sign = lambda self, request, canonical_request: ""
    signer.headers_to_sign = lambda self, request: {"host": ""}
    signer.signature = lambda self, string_to_sign, request: "0" * 64

    botocore.session.Session.get_credentials = get_credentials_here
    botocore.session.Session.create_client = create_client_alone


replace_botocore()

at_rest = {}  # the clients that are lent to no run, by what they were made from


def borrow(run, create, of):
    """Gives a run a client that an earlier run has had, and that is as it was when it was made: making one takes as long as two calls."""
    try:
        key = json.dumps(of, sort_keys=True, default=options_of)
    except TypeError:  # made from an object of which nobody knows whether it is the same
        return create()
    if at_rest.get(key):
        client, *made = at_rest[key].pop()
    else:
        client = create()
        made = state_of(client)
    run.clients.append((key, client, *made))
    return client


def options_of(value):
    if isinstance(value, botocore.config.Config):
        return value._user_provided_options
    raise TypeError(value)


def state_of(client):
    """What a script can change of a client: its attributes, and who handles its events."""
    return {name: value for name, value in vars(client).items() if name != "_exceptions"}, client.meta.events._emitter._handlers.changes


def take_back(clients):
    for key, client, *made in clients:
        adapts = (client.meta.config.retries or {}).get("mode") == "adaptive"
        if not adapts and not client._endpoint.http_session.remembers and state_of(client) == tuple(made):
            at_rest.setdefault(key, []).append((client, *made))


def remember():
    """Has botocore derive once what it derives anew for each client and each call, from a service's model and from names, and what is
    the same each time: every run makes its clients anew."""

    def once(function, key):
        made = {}

        def get(*arguments, **options):
            of = key(*arguments, **options)
            if of not in made:
                made[of] = function(*arguments, **options), arguments, options
            return made[of][0]

        return get

    creator, hooks = botocore.client.ClientCreator, botocore.hooks
    creator._load_service_model = once(creator._load_service_model, lambda self, service, version=None: (service, version))
    creator._create_client_class = once(creator._create_client_class, lambda self, service, model: id(model))
    # The loader keeps the rules that it has read.
    botocore.regions.EndpointProvider = once(
        botocore.regions.EndpointProvider, lambda ruleset_data, partition_data, excluded_params=None: id(ruleset_data)
    )
    agent = botocore.useragent.UserAgentString
    agent.to_string = once(agent.to_string, lambda self: (id(self), *map(frozenset, (self._client_features or (), get_context().features))))
    botocore.useragent.sanitize_user_agent_string_component = functools.lru_cache(maxsize=1024)(
        botocore.useragent.sanitize_user_agent_string_component
    )

    # The handlers of a client are a copy of the session's, which shares the nodes until one of the two changes them. What an event is
    # called depends on its name alone.
    def copy_trie(self):
        copied = type(self)()
        copied._root = self._root
        copied.changes = 0
        self.__dict__.pop("own", None)
        return copied

    def own_path(self, key):
        """Replaces the nodes on the way to a key, unless they are those of this trie alone."""
        own = self.__dict__.setdefault("own", {})  # by id: a node that is kept here keeps its id

        def owned(node):
            if id(node) not in own:
                node = dict(node, children=dict(node["children"]), values=node["values"] and hooks.NodeList(*map(list, node["values"])))
                own[id(node)] = node
            return node

        node = self._root = owned(self._root)
        for part in key.split("."):
            if part not in node["children"]:
                return
            child = node["children"][part] = owned(node["children"][part])
            node = child

    def changing(change):
        def change_own(self, key, *arguments, **options):
            own_path(self, key)
            self.changes = self.__dict__.get("changes", 0) + 1
            return change(self, key, *arguments, **options)

        return change_own

    copy_aliaser = hooks.EventAliaser.__copy__

    def copy_with_names(self):
        copied = copy_aliaser(self)
        copied._alias_name_cache = self._alias_name_cache
        return copied

    hooks._PrefixTrie.__copy__ = copy_trie
    hooks._PrefixTrie.append_item = changing(hooks._PrefixTrie.append_item)
    hooks._PrefixTrie.remove_item = changing(hooks._PrefixTrie.remove_item)
    hooks.EventAliaser.__copy__ = copy_with_names


remember()

# What a script could escape by.
ESCAPES = {
    "socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname",
    "subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn",
}


def forbid_escapes():
    def audit(event, _):
        if event in ESCAPES and run_here():
            raise PermissionError(f"{event} is not modelled in a script")

    sys.addaudithook(audit)

    start = threading.Thread.start

    # A thread of a script's own would wait for answers of its own.
    def start_here(self):
        if run_here():
            raise PermissionError("threading.Thread is not modelled in a script")
        start(self)

    threading.Thread.start = start_here


forbid_escapes()

session = boto3.session.Session()
runs = {}

# What there is now stays, and a run leaves little behind: the collector need not look often.
gc.freeze()
gc.set_threshold(50_000)


def main():
    for line in lines_in:
        message = json.loads(line)
        run = runs.get(message["id"])
        if "run" in message:
            run = runs[message["id"]] = Run(message["id"], message["now"], **message["run"])
            run.start()
        elif run and "stop" in message:
            run.stop()
        elif run:
            run.answers.put(message)
    os._exit(0)


main()
