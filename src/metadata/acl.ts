/** The attribute that holds a POSIX ACL, and the one with what a folder hands down. */
export const ACCESS = 'system.posix_acl_access';
const lists = [ACCESS, 'system.posix_acl_default'];

const HEADER_BYTES = 4;
const ENTRY_BYTES = 8;
const USER = 0x02;
const OWNING_GROUP = 0x04;
const GROUP = 0x08;

type Xattrs = Readonly<Record<string, string>>;

/**
 * What the owning group may do. The mode's middle bits do not tell where there is an ACL: they are its mask, the most that anybody
 * listed may do. 7 without one; 0 for one that cannot be read.
 */
export function groupBits(xattrs: Xattrs | undefined): number {
  const list = xattrs?.[ACCESS];
  if (list === undefined) return 7;
  const found = entriesOf(list)?.find(({ tag }) => tag === OWNING_GROUP);
  return found === undefined ? 0 : found.bytes.readUInt16LE(2) & 7;
}

/** The users and groups that ACLs name. */
export function listedIds(xattrs: Xattrs | undefined): { uids: number[]; gids: number[] } {
  const all = lists.flatMap((name) => entriesOf(xattrs?.[name]) ?? []);
  const ids = (wanted: number) => all.filter(({ tag }) => tag === wanted).map(({ bytes }) => bytes.readUInt32LE(4));
  return { uids: ids(USER), gids: ids(GROUP) };
}

/** The same with the users and groups that these are here. */
export function withIds(
  xattrs: Xattrs,
  ids: { readonly uid: (recorded: number) => number; readonly gid: (recorded: number) => number },
): Xattrs {
  const changed = lists.flatMap((name) => {
    const value = xattrs[name];
    const entries = entriesOf(value);
    if (value === undefined || entries === undefined) return [];
    const bytes = entries.map((entry) => {
      if (entry.tag !== USER && entry.tag !== GROUP) return entry.bytes;
      const copy = Buffer.from(entry.bytes);
      const recorded = copy.readUInt32LE(4);
      copy.writeUInt32LE(entry.tag === USER ? ids.uid(recorded) : ids.gid(recorded), 4);
      return copy;
    });
    // The kernel wants them in the order of their numbers.
    const order = (one: Buffer) => one.readUInt16LE(0) * 2 ** 32 + one.readUInt32LE(4);
    const sorted = Buffer.concat(bytes.sort((a, b) => order(a) - order(b)));
    return [[name, value.slice(0, HEADER_BYTES) + sorted.toString('latin1')] as const];
  });
  return changed.length === 0 ? xattrs : { ...xattrs, ...Object.fromEntries(changed) };
}

/** Undefined for what is no ACL of the one version that there is. */
function entriesOf(value: string | undefined): { tag: number; bytes: Buffer }[] | undefined {
  if (value === undefined || !value.startsWith('\x02\0\0\0') || (value.length - HEADER_BYTES) % ENTRY_BYTES !== 0) {
    return undefined;
  }
  const bytes = Buffer.from(value, 'latin1');
  const entries: { tag: number; bytes: Buffer }[] = [];
  for (let at = HEADER_BYTES; at < bytes.length; at += ENTRY_BYTES) {
    entries.push({ tag: bytes.readUInt16LE(at), bytes: bytes.subarray(at, at + ENTRY_BYTES) });
  }
  return entries;
}
