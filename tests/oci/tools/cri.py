#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Speaks Kubernetes' container runtime interface to a daemon, one call a command.

  cri.py SOCKET version
  cri.py SOCKET run-pod NAME [key=value...]            handler= pid=node|pod|container network= sysctl.NAME=
  cri.py SOCKET create POD IMAGE [key=value...] -- COMMAND...     memory= user= seccomp= readonly= log= privileged= env.NAME=
  cri.py SOCKET start|status|stop|remove|stats CONTAINER
  cri.py SOCKET update CONTAINER memory=BYTES
  cri.py SOCKET exec CONTAINER COMMAND...              its output and status are ours
  cri.py SOCKET stop-pod|remove-pod POD
  cri.py SOCKET time COUNT IMAGE HANDLER...            milliseconds of each step, interleaved; JSON lines

Debian's own python3 runs it, which has python3-grpcio; cri.proto is compiled when first used.
"""
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time

import grpc  # pylint: disable=import-error

HERE = os.path.dirname(os.path.realpath(__file__))
MODES = {"pod": 0, "container": 1, "node": 2}


def messages():
    """The classes of cri.proto."""
    folder = os.environ.get("CRI_CACHE") or tempfile.mkdtemp(prefix="cri.")
    if not os.path.exists(os.path.join(folder, "cri_pb2.py")):
        subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{HERE}", f"--python_out={folder}",
                        os.path.join(HERE, "cri.proto")], check=True)
    sys.path.insert(0, folder)
    return importlib.import_module("cri_pb2")


class Client:
    def __init__(self, address):
        self.pb = messages()
        self.channel = grpc.insecure_channel(f"unix://{address}")
        self.pods = os.path.join(os.environ.get("CRI_CACHE", "/tmp"), "pods")

    def call(self, method, timeout=120, **fields):
        request = getattr(self.pb, method + "Request")(**fields)
        answer = getattr(self.pb, method + "Response")
        stub = self.channel.unary_unary(f"/runtime.v1.RuntimeService/{method}",
                                        request_serializer=type(request).SerializeToString,
                                        response_deserializer=answer.FromString)
        return stub(request, timeout=timeout, wait_for_ready=True)

    def pod_config(self, name, options):
        pb = self.pb
        modes = pb.NamespaceOption(network=MODES[options.get("network", "node")], pid=MODES[options.get("pid", "container")])
        context = pb.LinuxSandboxSecurityContext(namespace_options=modes, privileged=options.get("privileged") == "1")
        sysctls = {key[7:]: value for key, value in options.items() if key.startswith("sysctl.")}
        config = pb.PodSandboxConfig(
            metadata=pb.PodSandboxMetadata(name=name, uid=name, namespace="tests", attempt=0),
            hostname="" if modes.network == MODES["node"] else name, log_directory=options.get("logs", ""),
            linux=pb.LinuxPodSandboxConfig(cgroup_parent=options.get("parent", ""), security_context=context, sysctls=sysctls))
        return config

    def run_pod(self, name, options):
        config = self.pod_config(name, options)
        pod = self.call("RunPodSandbox", config=config, runtime_handler=options.get("handler", "")).pod_sandbox_id
        os.makedirs(self.pods, exist_ok=True)
        with open(os.path.join(self.pods, pod), "wb") as file:
            file.write(config.SerializeToString())
        return pod

    def create(self, pod, image, options, command):
        pb = self.pb
        with open(os.path.join(self.pods, pod), "rb") as file:
            config = pb.PodSandboxConfig.FromString(file.read())
        context = pb.LinuxContainerSecurityContext(
            namespace_options=config.linux.security_context.namespace_options, no_new_privs=True,
            privileged=options.get("privileged") == "1", readonly_rootfs=options.get("readonly") == "1",
            masked_paths=["/proc/kcore", "/proc/keys"], readonly_paths=["/proc/sys", "/proc/irq"],
            seccomp=pb.SecurityProfile(profile_type=1 if options.get("seccomp") == "unconfined" else 0))
        if "user" in options:
            context.run_as_user.value = int(options["user"])
        resources = pb.LinuxContainerResources(memory_limit_in_bytes=int(options.get("memory", 0)))
        env = [pb.KeyValue(key=key[4:], value=value) for key, value in options.items() if key.startswith("env.")]
        mounts = [pb.Mount(container_path=key[6:], host_path=value) for key, value in options.items() if key.startswith("mount.")]
        return self.call("CreateContainer", pod_sandbox_id=pod, sandbox_config=config, config=pb.ContainerConfig(
            metadata=pb.ContainerMetadata(name=options.get("name", "c"), attempt=int(options.get("attempt", 0))),
            image=pb.ImageSpec(image=image), command=command, envs=env, mounts=mounts, log_path=options.get("log", ""),
            linux=pb.LinuxContainerConfig(resources=resources, security_context=context))).container_id

    def timed(self, count, image, handlers):
        """From no pod to a running container and back, by each handler in turn."""
        for number in range(count):
            for handler in handlers:
                marks = [time.monotonic()]
                pod = self.run_pod(f"time-{handler}-{number}", {"handler": handler})
                try:
                    marks.append(time.monotonic())
                    container = self.create(pod, image, {}, ["sleep", "1000"])
                    marks.append(time.monotonic())
                    self.call("StartContainer", container_id=container)
                    marks.append(time.monotonic())
                finally:  # a pod that is left outlives the daemon
                    self.call("StopPodSandbox", pod_sandbox_id=pod)
                    self.call("RemovePodSandbox", pod_sandbox_id=pod)
                marks.append(time.monotonic())
                steps = [(b - a) * 1000 for a, b in zip(marks, marks[1:])]
                print(json.dumps({"handler": handler, **dict(zip(("pod", "create", "start", "remove"), steps)),
                                  "to_started": sum(steps[:3])}), flush=True)


def pairs(words):
    return dict(word.split("=", 1) for word in words if "=" in word)


def exec_sync(client, container, command):
    answer = client.call("ExecSync", container_id=container, cmd=command, timeout=60)
    sys.stdout.buffer.write(answer.stdout)
    sys.stdout.flush()
    sys.stderr.buffer.write(answer.stderr)
    return answer.exit_code


def status(client, container):
    answer = client.call("ContainerStatus", container_id=container, verbose=True)
    state = client.pb.ContainerStatus.State.Name(answer.status.state)
    print(json.dumps({"state": state, "exit": answer.status.exit_code, "reason": answer.status.reason,
                      "info": json.loads(answer.info.get("info", "{}"))}))


def stats(client, container):
    answer = client.call("ContainerStats", container_id=container).stats
    print(json.dumps({"memory": answer.memory.working_set_bytes.value, "cpu": answer.cpu.usage_core_nano_seconds.value}))


SIMPLE = {"start": ("StartContainer", "container_id"), "remove": ("RemoveContainer", "container_id"),
          "stop-pod": ("StopPodSandbox", "pod_sandbox_id"), "remove-pod": ("RemovePodSandbox", "pod_sandbox_id")}


def main():
    address, verb, *words = sys.argv[1:]
    client = Client(address)
    command = words[words.index("--") + 1:] if "--" in words else []
    if verb == "version":
        answer = client.call("Version")
        print(answer.runtime_name, answer.runtime_api_version)
    elif verb == "run-pod":
        print(client.run_pod(words[0], pairs(words[1:])))
    elif verb == "create":
        print(client.create(words[0], words[1], pairs(words[2:words.index("--")]), command))
    elif verb == "exec":
        return exec_sync(client, words[0], words[1:])
    elif verb == "stop":
        client.call("StopContainer", container_id=words[0], timeout=int(pairs(words[1:]).get("timeout", 10)))
    elif verb == "update":
        resources = client.pb.LinuxContainerResources(memory_limit_in_bytes=int(pairs(words)["memory"]))
        client.call("UpdateContainerResources", container_id=words[0], linux=resources)
    elif verb == "time":
        client.timed(int(words[0]), words[1], words[2:])
    elif verb in ("status", "stats"):
        {"status": status, "stats": stats}[verb](client, words[0])
    else:
        method, field = SIMPLE[verb]
        client.call(method, **{field: words[0]})
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except grpc.RpcError as error:
        sys.exit(f"cri: {error.code()}: {error.details()}")
