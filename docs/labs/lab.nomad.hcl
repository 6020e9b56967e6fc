# One lab on every Nomad client with the metadata netmodes = "lab" (docs/deploying.md). The client's configuration must allow
# it: plugin "docker" { config { allow_privileged = true, volumes { enabled = true } } }

job "netmodes-lab" {
  type = "system"

  constraint {
    attribute = "${meta.netmodes}"
    value     = "lab"
  }

  group "lab" {
    task "lab" {
      driver       = "docker"
      kill_timeout = "60s"

      config {
        image      = "netmodes:hosts"
        privileged = true
        pid_mode   = "host"
        cgroupns   = "host"
        volumes = [
          "/sys/fs/cgroup:/sys/fs/cgroup",
          "/lib/modules:/lib/modules:ro",
          "/var/run/docker.sock:/run/docker.sock",
          "netmodes-lab:/var/lib/netmodes",
          "/etc/netmodes:/etc/netmodes:ro",
        ]
      }

      env {
        NETMODES_ROLE         = "lab"
        NETMODES_MACHINE_FILE = "/etc/netmodes/machine"
        NATS_URL_FILE         = "/etc/netmodes/nats-url"
        DATABASE_URL_FILE     = "/etc/netmodes/database-url"
        DOCKER_HOST           = "unix:///run/docker.sock"
      }

      resources {
        cpu    = 1000
        memory = 1024
      }
    }
  }
}
