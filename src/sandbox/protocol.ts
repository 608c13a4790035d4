/**
 * What we say to the agent, the first process inside a sandbox: one JSON object per line on its standard input, and one
 * answer per line on its standard output. When its input ends, it ends, and all that it started with it.
 */
interface Calls {
  hello: { ask: Record<string, never>; answer: { readonly pid: number } };
  /** Tries to get out, as a process that is started. */
  probe: { ask: ProbeOrder; answer: readonly Probed[] };
  port: { ask: Record<string, never>; answer: { readonly port: number } };
  /** Ports on which somebody inside listens for connections over TCP, besides those of doors. */
  listening: { ask: Record<string, never>; answer: { readonly ports: readonly number[] } };
  /** Passes what connects to a port of the loopback on to a Unix socket. */
  forward: { ask: Door; answer: Record<string, never> };
  start: { ask: StartOrder; answer: { readonly pid: number } };
  /** Runs to the end, or is killed at `timeoutMs`. */
  run: { ask: StartOrder & { readonly timeoutMs: number }; answer: ProcessState };
  look: { ask: { readonly name: string }; answer: ProcessState };
  stop: {
    ask: { readonly name: string; readonly signal: NodeJS.Signals; readonly graceMs: number };
    answer: ProcessState;
  };
  /** A request that gets no answer is no failure of ours: the answer says why. */
  http: { ask: HttpOrder; answer: HttpAnswer | { readonly failed: string } };
}

export type CallName = keyof Calls;
export type Ask<Name extends CallName> = Calls[Name]['ask'];
export type Answer<Name extends CallName> = Calls[Name]['answer'];

export type Reply =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly why: string };

/** What a sandbox stands on. */
export type Footing =
  /** Made by root: ids of its own, of which each has its number inside. */
  | 'root'
  /** Made by anybody: one id inside, which outside is the same user. */
  | 'user'
  /** No namespaces: the agent is a plain child. */
  | 'none';
export type Isolated = Exclude<Footing, 'none'>;

export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** A server of another cell, as it is reached from the application's: over TCP too, for a network they do not share. */
export interface Door {
  readonly port: number;
  /** As seen inside. */
  readonly socket: string;
}

/** Where the restored copy shall also appear: on the production path. What is there in production is never seen. */
export interface Placement {
  /** On the host; null where nothing came back: then what is there is hidden. */
  readonly from: string | null;
  /** Without links. */
  readonly to: string;
  /** Names beside `to` that belong to the old file and must be gone: `app.db-wal`. */
  readonly gone: readonly string[];
}

export type ProbeTarget =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  /** A name in the abstract namespace on which something on this host listens. */
  | { readonly kind: 'socket'; readonly name: string }
  /** Something that must not be read. */
  | { readonly kind: 'path'; readonly path: string }
  /** A command that must not succeed, by what it would do. Absolute: nothing the application could have put there. */
  | { readonly kind: 'act'; readonly what: string; readonly words: readonly string[] };

export interface ProbeOrder {
  readonly targets: readonly ProbeTarget[];
  readonly timeoutMs: number;
  readonly user?: User;
}

export interface Probed {
  readonly target: string;
  readonly reached: boolean;
  /** What happened: `ENETUNREACH`, `connected`, `empty`. */
  readonly what: string;
}

export interface StartOrder {
  readonly name: string;
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  /** Absent: as the agent. Only as root can it become another. */
  readonly user?: User;
}

export interface ProcessState {
  readonly running: boolean;
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last bytes that it printed, both streams. */
  readonly tail: string;
  readonly timedOut: boolean;
}

export interface HttpOrder {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Base64. */
  readonly body?: string;
  readonly timeoutMs: number;
}

export interface HttpAnswer {
  readonly status: number;
  /** In the order and case in which they came. */
  readonly headers: ReadonlyArray<readonly [string, string]>;
  /** Base64 of the body's first `httpBodyKeptBytes`. */
  readonly body: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

export const httpBodyKeptBytes = 8 << 20;
export const httpBodyLimitBytes = 1 << 30;

/** Where the sandbox's folder appears inside, when it has a mount namespace. */
export const insideRoot = '/run/lifeboat';

/** Parts of the sandbox's folder that the application sees below `insideRoot`. */
export const applicationParts = ['restored', 's', 'home', 'tmp'] as const;
/** Of `servers` each server sees its own folder. */
export const parts = [...applicationParts, 'servers'] as const;
