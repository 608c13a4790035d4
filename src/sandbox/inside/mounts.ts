import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { insideRoot, type Placement, parts, type Seal } from '../protocol.ts';
import { makeDevices } from './devices.ts';
import { mount } from './mount.ts';
import { type Mount, parseMounts } from './mount-table.ts';

const empty = `${insideRoot}/.empty`;
/** What some systems keep in /run and cannot live without. */
const keptInRun = ['/run/current-system', '/run/wrappers'];
const pseudo = new Set(['proc', 'sysfs', 'devtmpfs', 'devpts', 'mqueue']);

let layered: string[] = [];
let layersMade = 0;

/**
 * Makes what processes of this sandbox see of the file system: everything read-only; folders that the application may write
 * to with a layer over them that takes its changes; nothing of /run, of other programs' sockets, of destinations, identities
 * and our state. A step that fails is noted and leaves its part read-only, never writable.
 */
export function seal(order: Seal): string[] {
  const notes: string[] = [];
  const attempt = (what: string, work: () => void): boolean => {
    try {
      work();
      return true;
    } catch (error) {
      notes.push(`${what}: ${reason(error)}`);
      return false;
    }
  };
  const before = mounts();
  makeRun(order.box);
  layered = [];
  for (const folder of order.layered) {
    const inAnother = layered.some((other) => isBelow(folder, other));
    if (inAnother || !existsSync(folder)) continue;
    const made = attempt(`no writable layer over ${folder}`, () => addLayer(folder, order));
    if (made) layered.push(folder);
  }
  const needed = notes.length;
  for (const folder of order.alsoLayered) {
    const overlaps = layered.some((other) => isBelow(folder, other) || isBelow(other, folder));
    if (overlaps || !existsSync(folder)) continue;
    if (attempt(folder, () => addLayer(folder, order))) layered.push(folder);
  }
  // These are a convenience: without them an application that writes there is told that it cannot.
  notes.length = needed;
  for (const mount of before) {
    if (isPseudo(mount)) continue;
    attempt(`${mount.target} could not be made read-only`, () => makeReadOnly(mount));
  }
  attempt('the devices of the host stay visible', makeDevices);
  attempt('/proc/sys stays writable', () => protectProc(order.footing === 'root'));
  for (const path of order.masked) if (existsSync(path)) attempt(`${path} stays visible`, () => mask(path));
  for (const path of order.sockets) {
    if (existsSync(path)) attempt(`the socket ${path} stays reachable`, () => mask(path));
  }
  return notes;
}

/** A /run of our own, with the sandbox's parts in it. The folder itself may lie in what is hidden later, or in /run. */
function makeRun(box: string): void {
  const held = [...parts.map((part) => ({ path: join(box, part), at: `${insideRoot}/${part}` }))];
  for (const path of keptInRun) if (existsSync(path)) held.push({ path, at: path });
  const layers = { path: join(box, 'layers'), at: `${insideRoot}/.layers` };
  const open = [...held, layers].map((one) => ({ ...one, fd: openSync(one.path, 'r') }));
  mount('-t', 'tmpfs', '-o', 'mode=755,size=16m', 'tmpfs', '/run');
  mkdirSync(insideRoot, { recursive: true, mode: 0o755 });
  writeFileSync(empty, '', { mode: 0o444 });
  for (const { at, fd } of open) {
    mkdirSync(at, { recursive: true, mode: 0o755 });
    mount('--bind', `/proc/${process.pid}/fd/${fd}`, at);
    closeSync(fd);
  }
  mkdirSync('/run/lock', { mode: 0o1777 });
}

/** Over the folder as it is, a layer in the sandbox that takes all changes. Only where no other file system hangs below it. */
function addLayer(folder: string, order: Seal): void {
  if (mounts().some((one) => one.target !== folder && isBelow(one.target, folder) && !isPseudo(one))) {
    throw new Error('other file systems are mounted below it');
  }
  const at = `${insideRoot}/.layers/${++layersMade}`;
  for (const part of ['changes', 'work']) mkdirSync(join(at, part), { recursive: true, mode: 0o755 });
  const escaped = (path: string) => path.replace(/[\\,:]/g, (character) => `\\${character}`);
  const options = `lowerdir=${escaped(folder)},upperdir=${at}/changes,workdir=${at}/work`;
  const { mode, uid, gid } = statSync(folder);
  // A user namespace knows one user only; there the layer's top stays ours.
  if (order.footing === 'root') chownSync(join(at, 'changes'), uid, gid);
  chmodSync(join(at, 'changes'), mode & 0o7777);
  mount('-t', 'overlay', '-o', order.footing === 'user' ? `${options},userxattr` : options, 'overlay', folder);
}

function makeReadOnly({ target, options }: Mount): void {
  if (!existsSync(target)) return;
  // In a user namespace the flags that are set must stay, or the kernel refuses.
  const kept = options.filter((option) =>
    /^(nosuid|nodev|noexec|noatime|nodiratime|relatime|strictatime)$/.test(option),
  );
  // What lies under one of our layers cannot be reached by its path any more, so it needs no change.
  const visible = mounts().findLast((one) => one.target === target);
  if (visible === undefined || visible.type === 'overlay' || target.startsWith(insideRoot)) return;
  mount('-o', ['remount', 'bind', 'ro', ...kept].join(','), target);
}

/** What root could change for the whole host through /proc. */
function protectProc(root: boolean): void {
  if (!root) return;
  for (const path of ['/proc/sys', '/proc/sysrq-trigger', '/proc/irq', '/proc/bus']) {
    if (!existsSync(path)) continue;
    mount('--bind', path, path);
    mount('-o', 'remount,bind,ro', path);
  }
}

function mask(path: string): void {
  if (path.startsWith(`${insideRoot}/`)) return;
  if (statSync(path).isDirectory()) mount('-t', 'tmpfs', '-o', 'ro,mode=755,size=4k', 'tmpfs', path);
  else mount('--bind', empty, path);
}

/**
 * Puts restored copies on their production paths, for applications that know no other. Where that fails the path is hidden:
 * an application that reads production's own data would prove nothing.
 */
export function place(places: readonly Placement[]): string[] {
  const notes: string[] = [];
  for (const { from, to, gone } of places) {
    try {
      if (from === null) hide(to, gone);
      else cover(from, to, gone);
    } catch (error) {
      notes.push(`${to} is hidden, and the restored copy is not there: ${reason(error)}`);
      hide(to, gone);
    }
  }
  return notes;
}

function cover(from: string, to: string, gone: readonly string[]): void {
  // A folder can be covered wherever it is; a file needs its neighbours' folder, where the engine writes its journal.
  const coverable = gone.length === 0 && existsSync(to);
  if (!isLayered(dirname(to)) && !coverable) throw new Error('its folder is read-only here');
  const folder = statSync(from).isDirectory();
  // An old write-ahead log beside a restored database would be replayed into it.
  for (const name of gone) rmSync(join(dirname(to), name), { force: true });
  if (!existsSync(to)) {
    mkdirSync(folder ? to : dirname(to), { recursive: true });
    if (!folder) writeFileSync(to, '');
  }
  mount('--bind', from, to);
}

function hide(path: string, beside: readonly string[]): void {
  if (!existsSync(path)) return;
  if (statSync(path).isDirectory()) mount('-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', path);
  else for (const one of [path, ...beside.map((name) => join(dirname(path), name))]) if (existsSync(one)) mask(one);
}

function isLayered(path: string): boolean {
  return layered.some((folder) => isBelow(path, folder));
}

function mounts(): Mount[] {
  return parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
}

function isPseudo({ target, type }: Mount): boolean {
  return pseudo.has(type) || /^\/(proc|dev|run)(\/|$)/.test(target);
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
}

function reason(error: unknown): string {
  const stderr = (error as { stderr?: Buffer }).stderr?.toString('utf8').trim().split('\n')[0];
  return stderr || (error instanceof Error ? error.message : String(error));
}
