/**
 * What we say to the agent, the first process inside a sandbox: one JSON object per line on its standard input, and one
 * answer per line on its standard output. When its input ends, it ends, and all that it started with it.
 */
interface Calls {
  hello: { ask: Record<string, never>; answer: { readonly pid: number } };
  seal: { ask: Seal; answer: Sealed };
  place: { ask: { readonly places: readonly Placement[] }; answer: { readonly notes: readonly string[] } };
  probe: { ask: { readonly targets: readonly ProbeTarget[]; readonly timeoutMs: number }; answer: readonly Probed[] };
  port: { ask: Record<string, never>; answer: { readonly port: number } };
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

/** How the agent came to its rights, and so how it gives them away when it starts something. */
export type Footing =
  /** Real root in namespaces of its own. */
  | 'root'
  /** Root only of a user namespace; what it starts becomes the plain user again. */
  | 'user'
  /** No namespaces: the agent is a plain child. */
  | 'none';

export interface User {
  readonly uid: number;
  readonly gid: number;
}

export interface Seal {
  readonly footing: Footing;
  /** The user that lifeboat itself runs as. */
  readonly self: User;
  /** The sandbox's folder on the host; its parts appear below `insideRoot`. */
  readonly box: string;
  /** Folders that the application may write to: it sees what is there, and its changes go to the sandbox. */
  readonly layered: readonly string[];
  /** The same where it can be had, and nothing said where not. */
  readonly alsoLayered: readonly string[];
  /** Files and folders that nothing inside may see. */
  readonly masked: readonly string[];
  /** Unix sockets on which something on the host listens. */
  readonly sockets: readonly string[];
}

interface Sealed {
  /** What of it could not be done, one sentence each. */
  readonly notes: readonly string[];
}

/** Where the restored copy shall also appear: on the production path. What is there in production is never seen. */
export interface Placement {
  /** Inside the sandbox; null where nothing came back: then what is there is hidden. */
  readonly from: string | null;
  readonly to: string;
  /** Names beside `to` that belong to the old file and must be gone: `app.db-wal`. */
  readonly gone: readonly string[];
}

export type ProbeTarget =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'path'; readonly path: string };

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
  /** Absent: as lifeboat's own user, without the rights that could undo the sandbox. */
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

/** Parts of the sandbox's folder that appear below `insideRoot`. */
export const parts = ['restored', 'servers', 's', 'home', 'tmp'] as const;
