# SPDX-License-Identifier: Apache-2.0
"""Attacks through the daemon: deployed as functions, invoked over real HTTP, with neighbours.

Statuses are turned into the exit statuses that `skerry run` would give, so that judge() serves both.
"""
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

from kinds import TEMPLATES, probe, until_gone
from runs import HANG_S, End, judge

NEIGHBOUR = "neighbour"
LOG_MAX = 64 << 20  # bytes that the state directory may grow by a function's standard error


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers = status, headers
        self.text = body.decode(errors="replace")

    @property
    def end(self):
        code = {200: 0, 504: 124}.get(self.status, -self.status)
        if self.status == 500 and "X-Exit-Status" in self.headers:
            code = int(self.headers["X-Exit-Status"])
        elif self.status == 502 and "memory" in self.text:
            code = 137
        elif self.status == 502 and "X-Exit-Signal" in self.headers:
            code = 128 + int(self.headers["X-Exit-Signal"])
        return End(code, f"skerry: HTTP {self.status}\n{self.text}")


class Daemon:
    name = "daemon"

    def __init__(self, host, skerry):
        self.host, self.skerry = host, skerry
        self.state = os.path.join(host.work, "state")
        self.log = os.path.join(host.work, "daemon.log")
        program = os.path.join(os.path.dirname(skerry), "../control/skerryd")
        if not os.path.exists(program):
            program = shutil.which("skerryd")
        env = {"PATH": os.environ["PATH"], "SKERRY_SECRET": "the daemon's own", "LC_ALL": "C.UTF-8"}
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen(
                [program, "--state", self.state, "--listen", "127.0.0.1:0"], env=env, cwd="/",
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        host.running.append(self)
        self.port = self._wait_for_port()
        self.deploy(NEIGHBOUR, self._any_program(), ["--tenant", "neighbours"])

    def _any_program(self):
        build = os.path.join(os.path.dirname(self.skerry), "../../tests/negative/attack-dotdot")
        return self.host.copy(build, "neighbour")

    def _wait_for_port(self):
        deadline = time.monotonic() + HANG_S
        while time.monotonic() < deadline:
            found = re.search(r"serving on http://127\.0\.0\.1:(\d+)", self.said())
            if found:
                return int(found[1])
            if self.child.poll() is not None:
                break
            time.sleep(0.01)
        raise RuntimeError(f"skerryd does not serve: {self.said()}")

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def kill(self):
        """For the case that the suite fails."""
        self.child.kill()
        self.child.wait()

    def close(self):
        """Ends it as an operator would. None, or what was wrong with how it ended."""
        self.child.send_signal(signal.SIGTERM)
        code = self.child.wait(HANG_S)
        return None if code == 0 else f"skerryd ended with {code}: {self.said()}"

    # --- functions ---

    def deploy(self, name, program, options, arguments=()):
        command = [self.skerry, "deploy", name, "--state", self.state, "--exec", program, *options]
        done = subprocess.run([*command, "--", *arguments] if arguments else command,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"deploy {name}: {done.stderr}")

    def remove(self, name, tenant="default"):
        subprocess.run([self.skerry, "remove", name, "--state", self.state, "--tenant", tenant],
                       stdin=subprocess.DEVNULL, capture_output=True, check=False)

    def deploy_attack(self, attack, tenant="default", more=()):
        given = [f"--env={key}={value}" for key, value in self.host.environment(attack, True).items()]
        timeout = [] if "--timeout" in attack.flags else ["--timeout", "120s"]
        self.deploy(attack.name, self.host.copy(attack.program),
                    ["--net", "own", "--tenant", tenant, *given, *timeout, *attack.flags, *more])

    def path(self, name, query="", tenant="default"):
        suffix = "" if tenant == "default" else f".{tenant}"
        return f"/function/{name}{suffix}" + (f"?{query}" if query else "")

    def ask(self, path, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG_S)
        try:
            connection.request("POST", path, body=b"", headers=headers or {})
            response = connection.getresponse()
            try:
                body = response.read()
            except http.client.IncompleteRead as cut:  # a stream whose program failed
                body = cut.partial
            return Answer(response.status, dict(response.getheaders()), body)
        except (OSError, http.client.HTTPException) as error:
            return Answer(-1, {}, str(error).encode())
        finally:
            connection.close()

    def stream(self, path):
        """An answer whose "ready" has been read: (connection, response, text so far)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG_S)
        connection.request("POST", path, body=b"")
        response = connection.getresponse()
        text = b""
        while b"ready" not in text:
            part = response.read1(4096)
            if not part:
                break
            text += part
        return connection, response, text.decode(errors="replace")

    def neighbour_problem(self, requests=20):
        for number in range(requests):
            answer = self.ask(self.path(NEIGHBOUR, "benign", "neighbours"))
            if answer.status != 200 or answer.text != "benign\n":
                return f"the neighbour's request {number + 1} got {answer.status}: {answer.text}"
        return None

    # --- kinds ---

    def attack(self, attack):
        try:
            return getattr(self, "run_" + attack.kind.replace("-", "_"))(attack)
        except RuntimeError as error:
            return End(-1, ""), str(error)
        finally:
            self.remove(attack.name)

    def run_single(self, attack):
        self.deploy_attack(attack)
        end = self.ask(self.path(attack.name)).end
        return end, judge(attack, end)

    def run_flood(self, attack):
        """Two at once; the neighbour's requests meanwhile, and its own next one, are answered."""
        self.deploy_attack(attack)
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.ask(self.path(attack.name))))
                   for _ in range(2)]
        for thread in threads:
            thread.start()
        problem = self.neighbour_problem()
        for thread in threads:
            thread.join()
        text = End(0, "".join(answer.end.text for answer in answers))
        for answer in answers:
            problem = problem or judge(attack, answer.end)
            if not problem and answer.status != attack.answer:
                problem = f"answered with {answer.status}, expected {attack.answer}"
        after = self.ask(self.path(attack.name, "benign"))
        if not problem and after.text != "benign\n":
            problem = f"the next request of the function got {after.status}: {after.text}"
        return text, problem

    def run_aftermath(self, attack):
        self.deploy_attack(attack)
        answer = self.ask(self.path(attack.name))
        left = self.host.marked()
        gone = until_gone(self.host) if attack.expect == "timeout" else not left
        self.host.kill_marked()
        if not gone:
            return End(0, answer.end.text + "ESCAPED: lives on"), f"{len(left)} live on after the answer"
        return answer.end, judge(attack, answer.end)

    def run_pair(self, attack):
        """Two requests of one function; then one each of two tenants' functions of one image."""
        text = ""
        try:
            for tenants in (("default", "default"), ("default", "other")):
                for tenant in set(tenants):
                    self.deploy_attack(attack, tenant, ["--stream"])
                first, response, said = self.stream(self.path(attack.name, "role=serve", tenants[0]))
                if "ready" not in said:
                    return End(-1, text + said), "the first of the two ended early"
                caller = self.ask(self.path(attack.name, "role=call", tenants[1]))
                try:
                    said += response.read().decode(errors="replace")
                except http.client.HTTPException as cut:
                    said += getattr(cut, "partial", b"").decode(errors="replace")
                first.close()
                text += f"{tenants}: {said}{caller.text}"
                self.remove(attack.name, tenants[1])
                if "ESCAPED" in said + caller.text and tenants[0] != tenants[1]:
                    raise RuntimeError(f"got through between two tenants: {text}")
        finally:
            self.remove(attack.name, "other")
        end = End(0, text)
        return end, "got through" if end.escaped else None

    def run_sequence(self, attack):
        self.deploy_attack(attack)
        planted = self.ask(self.path(attack.name, "role=plant"))
        left = self.host.marked()
        if planted.status != 200 or "planted" not in planted.text:
            return planted.end, "did not plant"
        if left:
            self.host.kill_marked()
            return planted.end, "a process lives on after the first request"
        text = ""
        for _ in range(10):  # until it has met every sandbox that may have been reused
            end = self.ask(self.path(attack.name, "role=look")).end
            text += end.text
            problem = judge(attack, end)
            if problem:
                return End(end.code, text), problem
        return end, None

    def run_exhaust(self, attack):
        tenants = [f"t{number}" for number in range(TEMPLATES)]
        connections, text, held = [], "", True
        try:
            for tenant in tenants:
                self.deploy_attack(attack, tenant, ["--stream"])
                connection, _, said = self.stream(self.path(attack.name, tenant=tenant))
                connections.append(connection)
                text += said
                held = held and "ready" in said
            served = probe(attack, None)
        finally:
            for connection in connections:
                connection.close()
            for tenant in tenants:
                self.remove(attack.name, tenant)
        if not held:
            return End(-1, text), "ended before it held anything"
        if not served:
            return End(0, text + f"ESCAPED: the host gets no {attack.probe}"), "the host is left without"
        return End(1, text), self.neighbour_problem(5)

    def run_headers(self, attack):
        self.deploy_attack(attack)
        evil = {"Proxy": "evil", "X_Forwarded_For": "evil", "Content_Length": "evil", "Path": "evil",
                "Ld_Preload": "evil", "Http-Method": "evil", "Http_Path": "evil",
                "X-Call-Id": "evil", "Script-Name": "evil", "Remote-Addr": "evil",
                "X-Odd": "a=b\tc", "Authorization": "Basic ZXZpbA==", "Gateway-Interface": "evil"}
        answer = self.ask(self.path(attack.name, "PATH=evil&LD_PRELOAD=evil"), evil)
        if answer.status != 200:
            return answer.end, f"answered with {answer.status}"
        entries = dict(line.split("=", 1) for line in answer.text.splitlines() if "=" in line)
        ours = ("PATH", "LD_PRELOAD", "HTTP_PROXY", "Http_Proxy", "http_proxy", "HTTP_X_FORWARDED_FOR",
                "HTTP_CONTENT_LENGTH", "CONTENT_LENGTH", "SCRIPT_NAME", "REMOTE_ADDR", "REQUEST_METHOD",
                "GATEWAY_INTERFACE", "Http_Method", "Http_Path", "AUTH_TYPE", "REMOTE_USER", "HTTP_AUTHORIZATION")
        wrong = [f"{name}={entries[name]}" for name in ours
                 if "evil" in entries.get(name, "") or name in ("HTTP_PROXY", "http_proxy") and name in entries]
        wrong += [name for name in entries if not re.fullmatch(r"[A-Za-z0-9_]+", name)]
        problem = f"a client's header set {', '.join(wrong)}" if wrong else None
        return End(0 if wrong else 1, answer.text), problem

    def run_splitting(self, attack):
        self.deploy_attack(attack, more=["--cgi"])
        text = ""
        for number in range(16):
            with socket.create_connection(("127.0.0.1", self.port), HANG_S) as sock:
                file = sock.makefile("rb")
                head, body = exchange(sock, file, self.path(attack.name, str(number)))
                if head is None:  # the connection was closed, which is safe
                    continue
                text += f"{number}: {head[0]}, {len(body)} bytes\n"
                names = [line.partition(":")[0].lower() for line in head[1:]]
                if "x-second" in names or names.count("content-length") > 1 or "forged" in str(head):
                    return End(0, text + str(head)), f"head {number} reached the client"
                if head[0].split()[1].startswith("1"):
                    return End(0, text + str(head)), f"status of head {number} ends no response"
                if any(line.lower().replace(" ", "") == "connection:close" for line in head):
                    continue
                second, body = exchange(sock, file, self.path(NEIGHBOUR, "benign", "neighbours"))
                if not second or " 200 " not in second[0] or body != b"benign\n":
                    return End(0, text + str(second)), f"after head {number} the next answer was {body[:80]!r}"
        return End(1, text), None

    def run_log(self, attack):
        self.deploy_attack(attack)
        before = tree_size(self.state)
        answer = self.ask(self.path(attack.name))
        grown = tree_size(self.state) - before
        if answer.status != 200:
            return answer.end, f"answered with {answer.status}"
        if grown > LOG_MAX:
            return End(0, f"ESCAPED: {grown} bytes of logs"), f"the state directory grew by {grown} bytes"
        return End(1, ""), self.neighbour_problem(5)


def tree_size(path):
    return sum(os.lstat(os.path.join(folder, name)).st_size
               for folder, _, names in os.walk(path) for name in names)


def exchange(sock, file, path):
    """One request on an open connection: (lines of the head, body), framed as the head says."""
    try:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        head = []
        while (line := file.readline()) not in (b"\r\n", b"\n", b""):
            head.append(line.decode("latin-1").rstrip("\r\n"))
        if not head:
            return None, b""
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        status = int(head[0].split()[1])
        if status in (204, 304) or status < 200:
            return head, b""
        if fields.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while size := int(file.readline().split(b";")[0] or b"0", 16):
                body += file.read(size)
                file.readline()
            while file.readline() not in (b"\r\n", b""):
                pass
            return head, body
        if "content-length" in fields:
            return head, file.read(int(fields["content-length"]))
        return head + ["connection: close"], file.read()
    except (OSError, ValueError):
        return None, b""
