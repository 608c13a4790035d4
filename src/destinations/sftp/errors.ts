import { defineError } from '../../core/errors.ts';

export const hostKeyChanged = defineError({
  code: 'host-key-changed',
  about: 'place',
  exit: 2,
  say: (fact: { destination: string; host: string; why: string }) =>
    `WRONG SERVER? ${fact.host} ${fact.why}. Destination ${fact.destination} was not used, and nothing was sent there.`,
  hint: () =>
    'Somebody may stand in between. Ask whoever keeps the server; only if it was given a new key, change hostKeys or the known_hosts file.',
});

export const hostKeysUnusable = defineError({
  code: 'host-keys-unusable',
  about: 'person',
  exit: 2,
  say: (fact: { destination: string; why: string }) =>
    `Destination ${fact.destination} cannot tell the right server from a wrong one: ${fact.why}.`,
  hint: () =>
    'hostKeys takes SHA256:… fingerprints and lines such as "ssh-ed25519 AAAA…"; knownHosts takes a known_hosts file.',
});

export const signingInImpossible = defineError({
  code: 'signing-in-impossible',
  about: 'person',
  exit: 2,
  say: (fact: { destination: string; why: string }) =>
    `Destination ${fact.destination} has nothing to sign in with: ${fact.why}.`,
  hint: () =>
    `Give the destination a key (key: \${file:/etc/lifeboat/sftp-key}, and its passphrase), a password, or agent: true. For bootstrap: --ssh-key FILE.`,
});

export const sftpNotOffered = defineError({
  code: 'sftp-not-offered',
  about: 'place',
  exit: 2,
  say: (fact: { destination: string; user: string; why: string }) =>
    `Destination ${fact.destination} let ${fact.user} in, but speaks no SFTP: ${fact.why}.`,
  hint: () =>
    "On the server: nothing that the account's shell reads at its start may print (~/.bashrc, /etc/profile), and sshd_config has a line 'Subsystem sftp internal-sftp'. Rights and keys are not at fault.",
});
