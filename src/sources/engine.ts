import type { z } from 'zod';
import type { Holds } from '../core/expectations.ts';
import type { LeftOut } from '../core/left-out.ts';
import type { Expandable } from '../core/references.ts';
import type { Run } from '../core/run.ts';
import type { Door } from '../sandbox/protocol.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { Contents, Restored, Source } from './source.ts';

/**
 * All that is known of one kind of dataset, before any is looked at. Whoever needs something of a kind asks its engine, and none
 * asks for a kind's name. What is optional is a capability: an engine without it cannot do that, and it is said so where somebody wants it.
 */
export interface Engine {
  /** `type:` of its datasets, and `kind` of their restore points. */
  readonly kind: string;
  /** For people: `PostgreSQL`. */
  readonly title: string;
  /** Files that a check finds by their paths, or tables that queries may ask. */
  readonly holds: Holds;

  /** Its keys in lifeboat.yaml, besides those that every dataset has. */
  readonly keys: z.ZodRawShape;
  /** What its keys say together. */
  refine?(shape: Readonly<Record<string, unknown>>, context: z.RefinementCtx): void;
  /** From its keys to what it works with: data, whose references wait. Shown by `config show`. */
  build(shape: Readonly<Record<string, unknown>>, context: BuildContext): Readonly<Record<string, unknown>>;
  /** Throws what a backup would throw for the configuration's sake. */
  validate?(dataset: EngineDataset): void;
  placeOf(dataset: EngineDataset): Place;
  /** Commands of its keys that are run on this host, as a person shall read them before they are. Absent: it runs none. */
  runs?(dataset: EngineDataset): readonly string[];
  /** What its keys leave out. Absent: it has no such keys. */
  rulesOf?(dataset: EngineDataset): readonly Rule[];

  /** The objectives that `init` writes, until somebody says others. */
  readonly usual: { readonly rpo: string; readonly rto: string };
  /** Whether a file of a project is one of this kind, by its first bytes: `init` proposes it. */
  recognises?(file: string): boolean;
  /** How a server of this kind is found in what names it. */
  readonly server?: ServerTraits;

  open(name: string, dataset: EngineDataset, surroundings: Surroundings): Promise<Source>;

  /** The room of a restored copy beside the bytes of its restore point: indexes, and a log while it is loaded. */
  readonly roomFactor: number;
  /** Ends of the names of what an application makes beside a dataset's path, and what belongs to it: `-journal`. */
  readonly companions?: readonly string[];
  /** Brings a restore point back on a server of its own. Absent: a folder of the sandbox is all that a restore needs. */
  rehearse?(dataset: EngineDataset, back: ToRehearse, run: Run): Promise<Rehearsed>;
  /**
   * The rows of a query of people on such a copy, in batches; the first comes also when there is no row. It can change nothing.
   * @throws `drill-query-too-slow`, and what the engine says of the query
   */
  query?(copy: AskedCopy, query: string, options: QueryOptions): AsyncIterable<Rows>;
  /** From now on nobody but the application opens the copy. */
  watchOpening?(copy: AskedCopy): Promise<Watch>;
  /** Whether a server's error says that it could not: no room, no memory, shut down. */
  isOutage?(error: Error): boolean;
}

export interface ToRehearse {
  readonly name: string;
  readonly source: Source;
  readonly contents: Contents;
  readonly sandbox: Sandbox;
  /** So many of its kind have a server in the sandbox already. */
  readonly before: number;
  /** @throws `sandbox-not-isolated` where nothing would keep from this host what has all rights on a server */
  demandWalls(why: string): void;
  /** A sentence for the report. */
  note(sentence: string): void;
  /** It must not appear in any result. */
  addSecret(text: string): void;
}

/** A dataset that was brought back into a sandbox, as its engine works with it. */
export interface Rehearsed {
  readonly restored: Restored;
  /** Path or connection URL, for us. */
  readonly outside: string;
  /** The same for what runs inside. */
  readonly inside: string;
  /** The role that the application has in a database server. */
  readonly role?: string;
  /** Of a database server: the URL for queries of people, of a role that can only read; and how the application reaches it. */
  readonly asked?: string;
  readonly door?: Door;
  /** Engine versions, for the evidence. */
  readonly versions: Readonly<Record<string, string>>;
}

export type AskedCopy = Pick<Rehearsed, 'outside' | 'asked' | 'role'> & { readonly dataset: string };

export interface Rows {
  readonly columns: readonly string[];
  /** As the engine writes values as text; null is null. Binary is hex, booleans are `true` and `false` or 1 and 0. */
  readonly rows: ReadonlyArray<ReadonlyArray<string | null>>;
}

export interface QueryOptions {
  /** Of the engine's own time: while the reader works on a batch it does not run. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Whether anybody opened a restored database since; undefined where that cannot be told. */
export type Watch = () => Promise<boolean | undefined>;

/** A dataset's configuration as far as engines need it: its kind, and what its engine made of its keys. Nobody else looks inside. */
export interface EngineDataset {
  readonly type: string;
  readonly [setting: string]: unknown;
}

export interface BuildContext {
  /** Relative paths begin here. */
  readonly root: string;
  /** @param name the key that holds it: a literal under a name like `password` is not shown */
  expandable(text: string, name?: string): Expandable;
}

/** Where a dataset is in production: on this host, at a server, or wherever a command has it from. */
export type Place =
  | {
      /** Absolute: what a restored copy stands for. */
      readonly path: string;
      /** What of it belongs to the dataset; all when absent. */
      readonly parts?: readonly string[];
    }
  | { readonly url: Expandable }
  /** Neither is known: a command brings it out, and perhaps back. */
  | { readonly command: string };

/** What applications, containers and this host call a server of a kind. */
export interface ServerTraits {
  /** The scheme of its URLs. */
  readonly scheme: RegExp;
  /** The names that frameworks' settings have for it, and images of containers. */
  readonly names: RegExp;
  readonly image: RegExp;
  readonly user: string;
  /** Variables that name it by parts, where they alone tell that it is one of this kind. */
  readonly variables: readonly ServerVariables[];
  /** What its usual image is told. */
  readonly container: { readonly user: string; readonly password: string; readonly database: string };
  /** Where one of this host answers, at its usual place. */
  findLocal(): Promise<string | undefined>;
}

export interface ServerVariables {
  readonly host: string;
  readonly port: string;
  readonly user: string;
  readonly password: string;
  readonly name: string;
}

export type Rule = Pick<LeftOut, 'rule' | 'by' | 'reason'>;

export interface Surroundings {
  /** An existing folder on a disk with room for a copy of the largest database; the system's temporary folder when absent. */
  readonly workFolder?: string;
  /** Paths that other datasets bring back: a link to one of them leads to nothing that is missing. */
  readonly elsewhere?: readonly string[];
}

type Shape<Keys extends z.ZodRawShape> = z.output<z.ZodObject<Keys>>;
type Own<Settings> = { readonly type: string } & Settings;

/** An engine as its own folder sees it: its keys and its settings have types there. */
interface TypedEngine<Keys extends z.ZodRawShape, Settings extends object>
  extends Omit<
    Engine,
    'keys' | 'refine' | 'build' | 'validate' | 'placeOf' | 'runs' | 'rulesOf' | 'open' | 'rehearse'
  > {
  readonly keys: Keys;
  refine?(shape: Shape<Keys>, context: z.RefinementCtx): void;
  build(shape: Shape<Keys>, context: BuildContext): Settings;
  validate?(dataset: Own<Settings>): void;
  placeOf(dataset: Own<Settings>): Place;
  runs?(dataset: Own<Settings>): readonly string[];
  rulesOf?(dataset: Own<Settings>): readonly Rule[];
  open(name: string, dataset: Own<Settings>, surroundings: Surroundings): Promise<Source>;
  rehearse?(dataset: Own<Settings>, back: ToRehearse, run: Run): Promise<Rehearsed>;
}

/** The registry gives an engine only what its own keys and its own `build` made. */
export function defineEngine<Keys extends z.ZodRawShape, Settings extends object>(
  engine: TypedEngine<Keys, Settings>,
): Engine {
  return engine as unknown as Engine;
}
