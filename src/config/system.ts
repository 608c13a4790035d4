import type { AcceptedWarning } from '../core/accepted.ts';
import type { Condition } from '../core/condition.ts';
import type { KnownWriter } from '../core/known-writer.ts';
import type { Expandable } from '../core/references.ts';
import type { Retention } from '../core/retention.ts';
import type { Role } from '../core/roles.ts';
import type { Problem } from '../core/run.ts';
import type { EngineDataset } from '../sources/engine.ts';

/** What one configuration file protects: `lifeboat.yaml`, checked, with every default filled in. */
export interface System {
  readonly name: string;
  /** `production` unless said otherwise. */
  readonly environment: string;
  /** The configuration file, absolute. */
  readonly file: string;
  /** Its folder, absolute: relative paths in the file start here. */
  readonly root: string;
  /** What the configuration consists of, absolute: the file itself, its `envFile`, what it refers to. Kept with the backups. */
  readonly files: readonly string[];
  /** What it runs, reads, connects to and writes on the machine that uses it: for the eyes of whoever says yes to that. */
  readonly uses: readonly Use[];
  /** Catalog, writer keys, index cache, spool: `$LIFEBOAT_STATE_DIR/<system>-<8 hex>` (`stateFolderOf`), absolute. Not made by loading. */
  readonly stateDir: string;
  /** Lower-case hex of the SHA-256 of the file's bytes, for evidence. */
  readonly digest: string;
  readonly vault: {
    readonly recipients: readonly string[];
    /** The writers whose records count, besides this host's own; none: those that this host met first. */
    readonly writers: readonly KnownWriter[];
    /**
     * Those who may say that something goes: prunes, erasures, pins taken away. Besides the own key of the machine
     * that looks; none: every known writer's, but on a machine that prunes only its own.
     */
    readonly pruners: readonly KnownWriter[];
  };
  /** By name, in the order of the file. */
  readonly destinations: Readonly<Record<string, DestinationConfig>>;
  readonly datasets: Readonly<Record<string, DatasetConfig>>;
  readonly drill: DrillConfig;
  /** Nothing wrong, but worth saying: only one recipient. Without those that are `accepted`. */
  readonly warnings: readonly Problem[];
  readonly accepted: readonly AcceptedWarning[];
}

/** One thing that a configuration does. Nothing in it is looked up. */
export interface Use {
  readonly kind: 'command' | 'host' | 'file' | 'variable' | 'program' | 'folder';
  /** Where the configuration says so: `datasets.db`. */
  readonly at: string;
  /** The command, the place, the path, the variable's name; a password that stands in clear is masked. */
  readonly what: string;
}

export type DestinationConfig = LocalDestination | S3Destination | SftpDestination;

interface AnyDestination {
  /** A restore point is protected only once every required destination holds it. */
  readonly required: boolean;
  readonly where: Where;
  readonly price: Price;
}

/** Where a copy lies; what is absent is not known. */
export interface Where {
  readonly provider?: string;
  readonly region?: string;
  readonly account?: string;
  /** A building, for disks. */
  readonly site?: string;
}

/** In US dollars; what is absent comes from the built-in table. */
export interface Price {
  readonly storage?: number;
  readonly requests?: number;
  readonly retrieval?: number;
}

export interface LocalDestination extends AnyDestination {
  readonly type: 'local';
  /** Absolute. */
  readonly path: string;
}

export interface S3Destination extends AnyDestination {
  readonly type: 's3';
  readonly bucket: string;
  /** Keys begin with it and `/`; no slash at either end. */
  readonly prefix?: string;
  /** Absent: Amazon's. */
  readonly endpoint?: string;
  readonly region?: string;
  /** Absent: yes where an endpoint is given. */
  readonly pathStyle?: boolean;
  /** The writer's; absent: environment, profile or instance role, as the AWS SDK finds them. */
  readonly credentials?: S3Credentials;
  /** Of the other roles; those of the writer where absent. */
  readonly roles: Readonly<Partial<Record<Exclude<Role, 'writer'>, S3Credentials>>>;
  /** What every object is locked with when it is stored. */
  readonly lock?: { readonly mode: 'governance' | 'compliance'; readonly forMs: number };
  /** Of packs; everything else is stored in the usual class. */
  readonly storageClass?: string;
}

export type S3Credentials =
  | { readonly accessKeyId: Expandable; readonly secretAccessKey: Expandable; readonly sessionToken?: Expandable }
  | { readonly profile: string };

export interface SftpDestination extends AnyDestination {
  readonly type: 'sftp';
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** As the server sees it; relative to the login folder unless it begins with `/`. */
  readonly path: string;
  /** `SHA256:…` fingerprints or `ssh-ed25519 AAAA…` lines: any of them is right. */
  readonly hostKeys: readonly string[];
  /** A known_hosts file, absolute. */
  readonly knownHosts?: string;
  /** The private key's text. */
  readonly key?: Expandable;
  readonly passphrase?: Expandable;
  readonly password?: Expandable;
  /** Use the agent at `$SSH_AUTH_SOCK`. */
  readonly agent: boolean;
}

/** What every dataset has; the rest is its engine's. */
export interface DatasetConfig extends EngineDataset {
  readonly name: string;
  /** How much may be lost at most. The schedule follows from it: core/objectives.ts. */
  readonly rpoMs: number;
  /** How long it may take to be back. */
  readonly rtoMs: number;
  readonly retention: Retention;
  /** Why it may have nothing in it; absent: an empty one proves nothing. */
  readonly mayBeEmpty?: string;
  /** Of what holds tables. */
  readonly mayShrink?: readonly ShrinkingTable[];
}

/** A table that may lose its rows without anybody being told: a queue. `*` stands for any part of its name. */
interface ShrinkingTable {
  readonly table: string;
  readonly reason: string;
}

/**
 * A drill's processes and templates know these variables besides `app.env`: `PORT`, the free port that the application shall
 * listen on, and for each restored dataset `RESTORED_<NAME>` (`restoredVariable`): the path of the restored file or folder,
 * or the connection URL of the restored database.
 */
export interface DrillConfig {
  readonly everyMs: number;
  /** Whose drills prove something, and no other's; none: every known writer's. */
  readonly writers: readonly KnownWriter[];
  /** What a drill may use of its host at most; what is absent is chosen by what the host has. */
  readonly limits: {
    readonly memoryBytes?: number;
    readonly processes?: number;
    readonly openFiles?: number;
    /** Beside the restored data, as `files`. */
    readonly diskBytes?: number;
    readonly files?: number;
    readonly timeMs?: number;
  };
  readonly app?: AppConfig;
  /** In the order of the file. */
  readonly checks: readonly Check[];
  /** What is left out on purpose: the id of a check, or the name of a dataset. `reason` is never empty. */
  readonly skip: ReadonlyArray<{ readonly what: string; readonly reason: string }>;
}

export interface AppConfig {
  /** Run by `/bin/sh -c` in `directory`. The shell sees the variables; the text itself is not expanded by Lifeboat. */
  readonly start: string;
  /** URL that answers 2xx or 3xx once the application is up; knows `${PORT}`. */
  readonly ready: Expandable;
  readonly readyTimeoutMs: number;
  /** Absolute; the configuration's folder unless said otherwise. */
  readonly directory: string;
  /** Further folders that it writes to in production, absolute. In a drill its changes stay in the sandbox. */
  readonly writes: readonly string[];
  /** Added to a bare environment (PATH, HOME, PORT, RESTORED_…): production's variables are not inherited. */
  readonly env: Readonly<Record<string, Expandable>>;
}

export type Check = SqlCheck | ReferencesCheck | HttpCheck | CommandCheck | FreshnessCheck;

interface NamedCheck {
  /** Unique among the checks; the key in the file. */
  readonly id: string;
  readonly timeoutMs: number;
}

/** The first column of the first row meets `expect`; no row at all fails unless `mayBeEmpty`. */
export interface SqlCheck extends NamedCheck {
  readonly type: 'sql';
  readonly dataset: string;
  readonly query: string;
  readonly expect: Condition;
  readonly mayBeEmpty: boolean;
}

/** Every row that `from.query` gives names a file that the dataset `in` holds. */
export interface ReferencesCheck extends NamedCheck {
  readonly type: 'references';
  readonly from: { readonly dataset: string; readonly query: string };
  /** The files dataset. */
  readonly in: string;
  /** Path inside `in`; `${column}` is that column of the row (core/template.ts). Absent: the first column is the path. */
  readonly path?: string;
  /** The files must also open: not empty, and their first and last bytes those of the type that their name claims. */
  readonly opens: boolean;
  readonly mayBeEmpty: boolean;
}

/** Requests to the started application, in order, sharing cookies and captured variables. */
export interface HttpCheck extends NamedCheck {
  readonly type: 'http';
  /** At least one. */
  readonly steps: readonly HttpStep[];
}

export interface HttpStep {
  readonly method: string;
  /** Begins with `/`; knows captured variables. */
  readonly path: Expandable;
  readonly headers: Readonly<Record<string, Expandable>>;
  readonly body?: HttpBody;
  /** Off: a redirect is itself the answer, whose status is expected. Cookies are kept either way. */
  readonly followRedirects: boolean;
  readonly expect: HttpExpectation;
  /** Variables for the following steps. A capture that finds nothing fails the step. */
  readonly capture: Readonly<Record<string, HttpCapture>>;
}

export type HttpBody =
  | { readonly kind: 'form'; readonly fields: Readonly<Record<string, Expandable>> }
  /** JSON text, its `${…}` expanded inside string values, already escaped for JSON: sent as it comes out. */
  | { readonly kind: 'json'; readonly text: Expandable }
  | { readonly kind: 'text'; readonly text: Expandable };

export interface HttpExpectation {
  /** Any of these; 200–299 when empty. */
  readonly status: readonly number[];
  /** Each is found in the body. */
  readonly contains: readonly Expandable[];
  readonly json: ReadonlyArray<{ readonly path: JsonPath; readonly expect: Condition }>;
  /** The media type, without parameters: `application/pdf`. */
  readonly contentType?: string;
  readonly minBytes?: number;
  /** Lower-case hex of the body's SHA-256. May come from a capture. */
  readonly sha256?: Expandable;
}

/** `invoices.0.id` as its parts; a part of digits also indexes an array. */
export type JsonPath = readonly string[];

/** `regex`: its first group (or the whole match) in the body. */
export type HttpCapture =
  | { readonly from: 'json'; readonly path: JsonPath }
  | { readonly from: 'regex'; readonly pattern: string }
  | { readonly from: 'header'; readonly name: string };

/** Passes when it exits with 0. Run by `/bin/sh -c` in `directory` with the drill's variables. */
export interface CommandCheck extends NamedCheck {
  readonly type: 'command';
  readonly run: string;
  /** Absolute. */
  readonly directory: string;
}

/** The newest time that `query` gives is at most `withinMs` older than the restore point. */
export interface FreshnessCheck extends NamedCheck {
  readonly type: 'freshness';
  readonly dataset: string;
  readonly query: string;
  readonly withinMs: number;
  readonly mayBeEmpty: boolean;
}

/** `app-db` → `RESTORED_APP_DB`. Names of datasets have no underscore, so no two share a variable. */
export function restoredVariable(dataset: string): string {
  return `RESTORED_${dataset.toUpperCase().replaceAll('-', '_')}`;
}
