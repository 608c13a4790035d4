/** What a storage class of Amazon's (and of those who copy it) asks of what is stored in it. */
export interface StorageClass {
  readonly name: string;
  /** What is removed sooner is paid for as long. */
  readonly leastDays: number;
  /** Smaller objects are paid for as this. */
  readonly leastBytes: number;
  /** Present: an object must be brought back before it can be read, which takes this many hours by the usual and by the cheap way. */
  readonly thawHours?: { readonly usual: number; readonly cheap: number };
}

const KiB = 1024;

const classes: readonly StorageClass[] = [
  { name: 'STANDARD', leastDays: 0, leastBytes: 0 },
  { name: 'STANDARD_IA', leastDays: 30, leastBytes: 128 * KiB },
  { name: 'ONEZONE_IA', leastDays: 30, leastBytes: 128 * KiB },
  { name: 'GLACIER_IR', leastDays: 90, leastBytes: 128 * KiB },
  { name: 'GLACIER', leastDays: 90, leastBytes: 40 * KiB, thawHours: { usual: 5, cheap: 12 } },
  { name: 'DEEP_ARCHIVE', leastDays: 180, leastBytes: 40 * KiB, thawHours: { usual: 12, cheap: 48 } },
];

export const classNames: readonly string[] = classes.map(({ name }) => name);

/** Undefined for one that is not known here: nothing is said of it. */
export function storageClass(name: string): StorageClass | undefined {
  return classes.find((one) => one.name === name);
}

/**
 * What speaks against storing packs in a class from the start. `lockDays`: how long a lock surely keeps them; 0 without one: a
 * prune may remove a pack as soon as nothing needs it, which is days after the backup where hourly points are kept.
 */
export function objectionsTo(name: string, lockDays: number): string[] {
  const known = storageClass(name);
  if (known === undefined) return [];
  const { leastDays, thawHours } = known;
  const objections: string[] = [];
  if (leastDays > lockDays) {
    const stays =
      lockDays === 0
        ? 'no lock of lifeboat.yaml keeps a pack that long (one that the bucket sets by itself is not seen here)'
        : `the lock keeps a pack ${lockDays} days`;
    objections.push(
      `${name} is paid for at least ${leastDays} days, and ${stays}: what a prune removes sooner is paid for all the same. Lock for ${leastDays} days (lock: for:), or take a class with a shorter minimum.`,
    );
  }
  if (thawHours !== undefined) {
    objections.push(
      `What lies in ${name} has to be thawed for ${thawHours.usual} to ${thawHours.cheap} hours before it can be read: no restore, drill or verification from there meanwhile. Keep another copy in a class that answers at once.`,
    );
  }
  return objections;
}
