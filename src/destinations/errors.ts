import { defineError } from '../core/errors.ts';

export const objectMissing = defineError({
  code: 'object-missing',
  about: 'backup',
  exit: 2,
  say: (fact: { destination: string; key: string }) => `Destination ${fact.destination} does not hold ${fact.key}.`,
  hint: (fact) => `Run 'lifeboat verify' to see which restore points need it; another copy of ${fact.key} heals it.`,
});

export const objectExists = defineError({
  code: 'object-exists',
  about: 'backup',
  exit: 2,
  say: (fact: { destination: string; key: string }) =>
    `Destination ${fact.destination} already holds ${fact.key} with other bytes. Nothing was overwritten.`,
  hint: () => "Objects never change. Run 'lifeboat verify' to find out which of the two is sound.",
});

export const objectDamaged = defineError({
  code: 'object-damaged',
  about: 'backup',
  exit: 2,
  say: (fact: { destination: string; key: string; why: string }) =>
    `${fact.key} in destination ${fact.destination} is damaged: ${fact.why}.`,
  hint: () => "Run 'lifeboat verify --all': it names the restore points that are touched and heals from a sound copy.",
});

export const objectLocked = defineError({
  code: 'object-locked',
  about: 'place',
  exit: 2,
  say: (fact: { destination: string; key: string; until: string }) =>
    `${fact.key} in destination ${fact.destination} is locked until ${fact.until} and was not removed.`,
  hint: () => 'A lock ends by itself; nothing of Lifeboat shortens one. The next prune after that time removes it.',
});

export const objectFrozen = defineError({
  code: 'object-frozen',
  about: 'place',
  exit: 2,
  say: (fact: { destination: string; key: string }) =>
    `${fact.key} in destination ${fact.destination} lies in an archive class: it has to be thawed there before it can be read.`,
  hint: () =>
    "'lifeboat cost --restore --json' names what has to be thawed and how long it takes; docs/destinations.md shows how. Another copy that is not frozen serves at once.",
});

export const destinationFull = defineError({
  code: 'destination-full',
  about: 'place',
  exit: 2,
  say: (fact: { destination: string; location: string }) =>
    `Destination ${fact.destination} (${fact.location}) is full. What was stored before is whole.`,
  hint: () => "Make room or enlarge it, then run 'lifeboat backup' again: what was already sent is used again.",
});

export const destinationReadOnly = defineError({
  code: 'destination-read-only',
  about: 'place',
  exit: 2,
  say: (fact: { destination: string; location: string }) =>
    `Destination ${fact.destination} (${fact.location}) cannot be written: it is read-only.`,
  hint: () => 'Remount it read-write, or name another path in lifeboat.yaml.',
});

export const destinationDenied = defineError({
  code: 'destination-denied',
  about: 'place',
  exit: 2,
  say: (fact: { destination: string; location: string; why: string }) =>
    `Destination ${fact.destination} (${fact.location}) refused: ${fact.why}.`,
  hint: () => 'Where it is a matter of rights: check the owner, the permissions or the credentials of the destination.',
});

export const destinationUnreachable = defineError({
  code: 'destination-unreachable',
  about: 'place',
  exit: 2,
  say: (fact: { destination: string; location: string; why: string }) =>
    `Destination ${fact.destination} (${fact.location}) cannot be reached: ${fact.why}.`,
  hint: () =>
    'Check that its address is right and that it is mounted or online, then try again. Other destinations are not affected.',
});

export const objectKeyInvalid = defineError({
  code: 'object-key-invalid',
  about: 'lifeboat',
  exit: 2,
  say: (fact: { destination: string; key: string }) =>
    `${JSON.stringify(fact.key)} is no name for an object; destination ${fact.destination} was not touched.`,
  hint: () => "A damaged or forged record may name it: run 'lifeboat verify'.",
});

/** A server that nobody vouched for. It is of the port, since a person may be asked about what it shows. */
export const hostKeyUnknown = defineError({
  code: 'host-key-unknown',
  about: 'person',
  exit: 2,
  say: (fact: { destination: string; host: string; why: string; fingerprint: string }) =>
    `Destination ${fact.destination} was not used: ${fact.why}, so nothing proves that ${fact.host} is the right server. It shows the key ${fact.fingerprint}.`,
  hint: (fact) =>
    `Compare that with 'ssh-keygen -lf' of the server's /etc/ssh/ssh_host_*_key.pub. If it is the same, add to the destination: hostKeys: ["${fact.fingerprint}"]`,
});

/** Whether it is the destination that failed, not one object in it. */
export function isOfTheDestination(error: unknown): boolean {
  return ofTheDestination.some((one) => one.is(error));
}

const ofTheDestination = [destinationFull, destinationReadOnly, destinationDenied, destinationUnreachable];
