#!/bin/sh
# What k3s's install.sh leaves when colima calls it: the commands, a unit with the given options, a way to stop and one to leave.
set -eu
[ "$(id -u)" = 0 ] || exec sudo "$0" "$@"
bin=/usr/local/bin

command_file() {
	cat >"$bin/$1"
	chmod 755 "$bin/$1"
}

command_file kubectl <<'END'
#!/bin/sh
exec /usr/local/bin/k3s kubectl "$@"
END

command_file k3s-killall.sh <<'END'
#!/bin/sh
[ "$(id -u)" = 0 ] || exec sudo "$0" "$@"
systemctl stop k3s.service
END

command_file k3s-uninstall.sh <<'END'
#!/bin/sh
[ "$(id -u)" = 0 ] || exec sudo "$0" "$@"
/usr/local/bin/k3s-killall.sh
rm -rf /etc/systemd/system/k3s.service /etc/rancher/k3s /var/lib/rancher/k3s
rm -f /usr/local/bin/kubectl /usr/local/bin/k3s /usr/local/bin/k3s-killall.sh /usr/local/bin/k3s-uninstall.sh
systemctl daemon-reload
END

cat >/etc/systemd/system/k3s.service <<END
[Unit]
Description=Lightweight Kubernetes
After=network.target

[Service]
Type=notify
NotifyAccess=all
ExecStart=$bin/k3s server $*
TimeoutStartSec=0
Restart=always
RestartSec=5s

[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
