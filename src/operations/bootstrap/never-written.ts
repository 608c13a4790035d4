import { relative } from 'node:path';

/** Trees that belong to the system: nothing of a backed-up configuration has business there. */
const trees = /^\/(bin|boot|dev|lib|lib32|lib64|libx32|proc|run|sbin|sys|usr|var\/(run|spool|log|mail|cache))(\/|$)/;
const programs =
  /^\/var\/lib\/(apt|dpkg|systemd|pam|sudo|cloud|dhcp|docker|containerd|cni|kubelet|AccountsService|NetworkManager)(\/|$)/;

/** Names that something else runs, obeys or logs in with: wherever they lie, so that another root makes no difference. */
const names: readonly RegExp[] = [
  // What runs by itself: timers, services, hooks of packages, of the network, of logins.
  /^(ana)?cron/,
  /^at(jobs|spool)?$/,
  /^systemd$/,
  /\.(service|timer|socket|path|mount|automount|target|desktop|rules)$/,
  /^(init|rc|xinetd|inetd)(\d|s|\.|$)/,
  /^(inittab|udev|modprobe|modules|modules-load|sysctl|binfmt|dbus-1|polkit-1|apt|dpkg|logrotate)(\.|$)/,
  /^(network|NetworkManager|dhcp|dhclient|ppp|acpi|X11|xdg|update-motd|kernel|initramfs-tools|grub|alternatives)(\.|$)/,
  /\.d$/,
  // What the loader, the resolver and logins obey.
  /^ld\.so/,
  /^(pam|nsswitch|hosts|resolv|ssl|ca-certificates|krb5)(\.|$)/,
  /^(security|passwd|shadow|gshadow|group|subuid|subgid|sudo|sudoers|doas|shells|securetty)(-|\.|$)/,
  /^(ssh|sshd|ssh_config|sshd_config|sshrc|authorized_keys\d?|rhosts|hosts\.equiv)$/,
  // What a shell or a program reads when it starts.
  /^(profile|environment|bashrc|bash\.bashrc|zshenv|zshrc|zprofile|zlogin|csh|login\.defs|inputrc|gitconfig|vimrc)(\.|$)/,
];
/** A name with a dot before it is read by somebody's programs; `.env` is the application's own. */
const hidden = /^\.(?!env(\.[\w.-]+)?$)/;

/**
 * Why a file that comes out of a vault is not written to `path`, whoever says yes: it would be obeyed by more than Lifeboat and
 * the application. Undefined: it may be. Names are looked at below `named`, the folder that a person chose.
 */
export function neverWritten(path: string, named = '/'): string | undefined {
  if (named === '/' && (trees.test(path) || programs.test(path))) return 'that folder belongs to the system';
  for (const name of relative(named, path).split('/')) {
    if (hidden.test(name) || names.some((one) => one.test(name))) return `'${name}' is obeyed by others`;
  }
  return undefined;
}
