import { isUlid } from '../../core/ulid.ts';

/** The object keys of format 1. docs/vault-format.md, "Objects". */
export const VAULT_KEY = 'vault.json';
export const RESCUE_KEY = 'rescue.sh';

export type ParsedKey =
  | { readonly type: 'vault' }
  | { readonly type: 'rescue' }
  | { readonly type: 'pack'; readonly id: string }
  | { readonly type: 'manifest'; readonly id: string }
  | { readonly type: 'list'; readonly id: string }
  | { readonly type: 'index'; readonly writer: string; readonly id: string }
  | {
      readonly type: 'snapshot';
      readonly system: string;
      readonly dataset: string;
      readonly time: string;
      readonly id: string;
    }
  | { readonly type: 'generation'; readonly generation: number }
  | { readonly type: 'ledger'; readonly id: string }
  | { readonly type: 'endorsement'; readonly endorser: string; readonly id: string }
  | { readonly type: 'announcement'; readonly writer: string; readonly id: string }
  | { readonly type: 'epoch-key'; readonly epoch: string; readonly id: string }
  | { readonly type: 'grant'; readonly epoch: string; readonly id: string }
  | ({ readonly type: 'log'; readonly id: string } & LogSpan)
  | ({ readonly type: 'cover'; readonly id: string } & LogSpan);

/** Where the objects of a type lie. Two stand by themselves. */
export const folders = {
  pack: 'packs/',
  manifest: 'manifests/',
  list: 'lists/',
  index: 'index/',
  snapshot: 'snapshots/',
  generation: 'gc/',
  ledger: 'ledger/',
  endorsement: 'endorsements/',
  announcement: 'format/',
  'epoch-key': 'keys/',
  grant: 'keys/',
  log: 'logs/',
  cover: 'covers/',
} as const satisfies Record<Exclude<ParsedKey['type'], 'vault' | 'rescue'>, string>;

/** Objects that are named by their own SHA-256, and are there because a record or a cover needs them. */
export type HashedKey = Extract<ParsedKey, { readonly type: 'pack' | 'manifest' | 'list' | 'log' }>;

/** Whose log it is, and from where up to where, without `end` itself. */
export interface LogSpan {
  readonly system: string;
  readonly dataset: string;
  /** `writerId` of its public key. */
  readonly writer: string;
  readonly timeline: string;
  readonly start: string;
  readonly end: string;
}

const HEX_256 = /^[0-9a-f]{64}$/;
const WRITER = /^[0-9a-f]{32}$/;
/** Of systems and datasets. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._:+-]{0,127}$/;
const RECORD_NAME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\.(\d{3})Z-([0-9A-Z]{26})\.json$/;
const GENERATION_NAME = /^(0|[1-9]\d{0,14})\.json$/;
/** A history, within which positions can be compared, and the number of one of its branches. */
const TIMELINE = /^([a-z0-9]{1,64})-(0|[1-9]\d{0,9})$/;
const POSITION = /^[0-9a-f]{16}$/;
const LOG_NAME = /^([0-9a-f]{16})-([0-9a-f]{16})-(?:([0-9a-f]{64})\.age|([0-9A-Z]{26})\.json)$/;

/** `id`: lower-case hex of the SHA-256 of the object's bytes. */
export function packKey(id: string): string {
  return hashedKey('packs', id, '.age');
}

export function manifestKey(id: string): string {
  return hashedKey('manifests', id, '.age');
}

export function listKey(id: string): string {
  return hashedKey('lists', id, '');
}

/** `writer`: `writerId` of its public key. */
export function indexKey(writer: string, ulid: string): string {
  need(WRITER.test(writer) && isUlid(ulid), 'index');
  return `index/${writer}/${ulid}.age`;
}

/** `time`: ISO 8601, UTC, with milliseconds. */
export function snapshotKey(system: string, dataset: string, time: string, ulid: string): string {
  need(isName(system) && isName(dataset) && isTime(time) && isUlid(ulid), 'snapshot');
  return `snapshots/${system}/${dataset}/${time.replace(/[-:]/g, '')}-${ulid}.json`;
}

export function generationKey(generation: number): string {
  const name = `${generation}.json`;
  need(GENERATION_NAME.test(name), 'generation');
  return `gc/${name}`;
}

export function ledgerKey(ulid: string): string {
  need(isUlid(ulid), 'ledger');
  return `ledger/${ulid}.json`;
}

/** `endorser`: `writerId` of its public key. */
export function endorsementKey(endorser: string, ulid: string): string {
  need(WRITER.test(endorser) && isUlid(ulid), 'endorsement');
  return `endorsements/${endorser}/${ulid}.json`;
}

/** `writer`: `writerId` of its public key. */
export function announcementKey(writer: string, ulid: string): string {
  need(WRITER.test(writer) && isUlid(ulid), 'announcement');
  return `format/${writer}/${ulid}.json`;
}

/** `id`: as of a pack. Several objects may hold the key of one epoch, for different recipients. */
export function epochKeyKey(epoch: string, id: string): string {
  need(isSha256(epoch) && isSha256(id), 'epoch key');
  return `keys/${epoch}/${id}.age`;
}

/** Who opens an epoch by which of its key objects. */
export function grantKey(epoch: string, ulid: string): string {
  need(isSha256(epoch) && isUlid(ulid), 'grant');
  return `keys/${epoch}/${ulid}.json`;
}

/** `id`: as of a pack. The key alone says what it is a piece of: whoever lets go of it need not open it. */
export function logKey(span: LogSpan, id: string): string {
  need(isSha256(id), 'log');
  return `logs/${spanName(span)}-${id}.age`;
}

/** A cover of pieces from `start` up to `end`. */
export function coverKey(span: LogSpan, ulid: string): string {
  need(isUlid(ulid), 'cover');
  return `covers/${spanName(span)}-${ulid}.json`;
}

function spanName({ system, dataset, writer, timeline, start, end }: LogSpan): string {
  need(isName(system) && isName(dataset) && WRITER.test(writer) && historyOf(timeline) !== undefined, 'log');
  need(isPosition(start) && isPosition(end) && start < end, 'log');
  return `${system}/${dataset}/${writer}/${timeline}/${start}-${end}`;
}

/** Whether `text` is a place in a log. They order as texts do. */
export function isPosition(text: string): boolean {
  return POSITION.test(text);
}

/** What a timeline is a branch of; undefined for what is no timeline. */
export function historyOf(timeline: string): string | undefined {
  return TIMELINE.exec(timeline)?.[1];
}

export function isSha256(text: string): boolean {
  return HEX_256.test(text);
}

/** Of a source. */
export function isKind(text: string): boolean {
  return /^[\x20-\x7e]{1,200}$/.test(text);
}

/** The same and keys of epochs: all that is copied only because something signed names it. */
export function isNamedByHash(
  parsed: ParsedKey | undefined,
): parsed is HashedKey | Extract<ParsedKey, { readonly type: 'epoch-key' }> {
  return isHashed(parsed) || parsed?.type === 'epoch-key';
}

const hashedTypes: ReadonlySet<ParsedKey['type']> = new Set<HashedKey['type']>(['pack', 'manifest', 'list', 'log']);

export function isHashed(parsed: ParsedKey | undefined): parsed is HashedKey {
  return parsed !== undefined && hashedTypes.has(parsed.type);
}

/** Whether `text` may be the name of a system, or of a dataset. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

/** Whether `text` is a real UTC moment as `Date.toISOString` writes it. */
export function isTime(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(text)) return false;
  const timeMs = Date.parse(text);
  return Number.isFinite(timeMs) && new Date(timeMs).toISOString() === text;
}

/** What a key of this vault names; undefined for any other: leave such objects alone. */
export function parseKey(key: string): ParsedKey | undefined {
  if (key === VAULT_KEY) return { type: 'vault' };
  if (key === RESCUE_KEY) return { type: 'rescue' };
  const parts = key.split('/', 7);
  const [folder, first = '', second = '', third = ''] = parts;
  if (parts.length === 2) return parseFlat(folder, first);
  if (parts.length === 4 && folder === 'snapshots') return parseSnapshot(first, second, third);
  if (parts.length === 6) return parseLog(parts);
  if (parts.length !== 3) return undefined;
  if (folder === 'packs') return parseHashed('pack', first, stem(second, '.age'));
  if (folder === 'manifests') return parseHashed('manifest', first, stem(second, '.age'));
  if (folder === 'lists') return parseHashed('list', first, second);
  if (folder === 'keys') return parseEpoch(first, second);
  if (folder === 'index') {
    const id = stem(second, '.age');
    return WRITER.test(first) && isUlid(id) ? { type: 'index', writer: first, id } : undefined;
  }
  if (folder === 'endorsements') {
    const id = stem(second, '.json');
    return WRITER.test(first) && isUlid(id) ? { type: 'endorsement', endorser: first, id } : undefined;
  }
  const id = stem(second, '.json');
  const isAnnouncement = folder === 'format' && WRITER.test(first) && isUlid(id);
  return isAnnouncement ? { type: 'announcement', writer: first, id } : undefined;
}

function parseFlat(folder: string | undefined, name: string): ParsedKey | undefined {
  if (folder === 'gc' && GENERATION_NAME.test(name))
    return { type: 'generation', generation: Number.parseInt(name, 10) };
  const id = stem(name, '.json');
  return folder === 'ledger' && isUlid(id) ? { type: 'ledger', id } : undefined;
}

function parseHashed(type: 'pack' | 'manifest' | 'list', fan: string, id: string): ParsedKey | undefined {
  return isSha256(id) && fan === id.slice(0, 2) ? { type, id } : undefined;
}

function parseEpoch(epoch: string, name: string): ParsedKey | undefined {
  if (!isSha256(epoch)) return undefined;
  if (isSha256(stem(name, '.age'))) return { type: 'epoch-key', epoch, id: stem(name, '.age') };
  return isUlid(stem(name, '.json')) ? { type: 'grant', epoch, id: stem(name, '.json') } : undefined;
}

function parseSnapshot(system: string, dataset: string, name: string): ParsedKey | undefined {
  const match = RECORD_NAME.exec(name);
  if (match === null || !isName(system) || !isName(dataset)) return undefined;
  const [, year, month, day, hour, minute, second, milli, id = ''] = match;
  const time = `${year}-${month}-${day}T${hour}:${minute}:${second}.${milli}Z`;
  return isTime(time) && isUlid(id) ? { type: 'snapshot', system, dataset, time, id } : undefined;
}

function parseLog([folder, system = '', dataset = '', writer = '', timeline = '', name = '']: string[]):
  | ParsedKey
  | undefined {
  const [, start = '', end = '', hash, ulid = ''] = LOG_NAME.exec(name) ?? [];
  const isOfOne = isName(system) && isName(dataset) && WRITER.test(writer) && historyOf(timeline) !== undefined;
  if (!isOfOne || start >= end) return undefined;
  const span = { system, dataset, writer, timeline, start, end };
  if (folder === 'logs' && hash !== undefined) return { type: 'log', id: hash, ...span };
  return folder === 'covers' && isUlid(ulid) ? { type: 'cover', id: ulid, ...span } : undefined;
}

function hashedKey(folder: string, id: string, ending: string): string {
  need(isSha256(id), folder);
  return `${folder}/${id.slice(0, 2)}/${id}${ending}`;
}

function stem(name: string, ending: string): string {
  return name.endsWith(ending) ? name.slice(0, -ending.length) : '';
}

function need(fits: boolean, what: string): void {
  if (!fits) throw new TypeError(`no ${what} key`);
}
