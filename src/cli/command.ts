import type { System } from '../config/system.ts';
import type { Clock } from '../core/clock.ts';
import type { Run } from '../core/run.ts';
import type { Done, Job } from '../jobs/job.ts';
import type { Around } from '../jobs/runner.ts';
import type { OpenSystem } from '../operations/system.ts';
import type { ExitCode } from './exit.ts';
import type { GivenKeys } from './identities.ts';
import type { Output } from './output.ts';

/**
 * How a command is written:
 *
 * 1. `src/cli/<name>.ts` exports `defineCommand({ words, description, options, run })`. Import what is heavy here freely: the
 *    file itself is loaded only when its command is called.
 * 2. One line in `src/cli/commands.ts` names it, with its summary.
 *
 * `run` turns its words into the request of one job (`src/jobs`), hands the document to `out.answer` or `out.done`, and returns the exit
 * code of the answer. It prints nothing itself and catches nothing: errors are shown, once, by the program.
 */
interface CommandDefinition<Options extends OptionShapes> {
  /** Positional words as shown in the usage: `<dataset> [path...]`. */
  readonly words?: string;
  /** More than the summary, for `--help`: a sentence or two, then examples. */
  readonly description: string;
  readonly options: Options;
  run(context: CommandContext<OptionValues<Options>>): Promise<ExitCode>;
}

/** A definition as the program sees it: options are made from it, so their values are of its types. */
export interface AnyCommand {
  readonly words?: string;
  readonly description: string;
  readonly options: OptionShapes;
  run(context: CommandContext<Readonly<Record<string, unknown>>>): Promise<ExitCode>;
}

export interface CommandContext<Options> {
  readonly options: Options;
  /** The positional words; a list (`[path...]`) is spread at the end. */
  readonly words: readonly string[];
  readonly common: CommonOptions;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly out: Output;
  /** Announces steps to the terminal; aborted by Ctrl-C. */
  readonly run: Run;
  /** Asks for a job, with the system of the configuration and the keys of --identity, unless it is given others. */
  job<Request, Document>(
    job: Job<Request, Document>,
    request: Request,
    instead?: Partial<Around>,
  ): Promise<Done<Document>>;
  /** The configuration, loaded on first use. */
  config(): Promise<System>;
  /** The system that operations work on; closed when the command ends. */
  system(): Promise<OpenSystem>;
  /** `AGE-SECRET-KEY-…` lines of the identity files. @throws `identity-needed` when none was given */
  identities(): Promise<readonly string[]>;
  /** The same, with what is written beside them. */
  keys(): Promise<GivenKeys>;
}

export interface CommonOptions {
  readonly config: string;
  readonly identity: readonly string[];
  readonly json: boolean;
  readonly jsonEvents: boolean;
  readonly quiet: boolean;
  readonly color: boolean;
}

/** `dryRun` in the definition is `--dry-run` on the command line and `LIFEBOAT_DRY_RUN` in the environment. */
export interface OptionShape<Value> {
  readonly kind: 'flag' | 'value' | 'many';
  /** `<file>`; empty for flags. */
  readonly placeholder: string;
  readonly summary: string;
  /** Turns the text (`true` and `false` for flags) into the value. @throws a LifeboatError with exit 64 */
  readonly parse: (text: string) => Value;
}

export type OptionShapes = Readonly<Record<string, OptionShape<unknown>>>;

type OptionValues<Shapes extends OptionShapes> = {
  readonly [Name in keyof Shapes]: Shapes[Name] extends Flag
    ? boolean
    : Shapes[Name] extends Many<infer Value>
      ? readonly Value[]
      : Shapes[Name] extends Single<infer Value>
        ? Value | undefined
        : never;
};

interface Flag extends OptionShape<boolean> {
  readonly kind: 'flag';
}
interface Single<Value> extends OptionShape<Value> {
  readonly kind: 'value';
}
interface Many<Value> extends OptionShape<Value> {
  readonly kind: 'many';
}

/** `--force` */
export function flag(summary: string): Flag {
  return { kind: 'flag', placeholder: '', summary, parse: (text) => text === 'true' };
}

/** `--into <target>` */
export function value(placeholder: string, summary: string): Single<string>;
export function value<Value>(placeholder: string, summary: string, parse: (text: string) => Value): Single<Value>;
export function value(
  placeholder: string,
  summary: string,
  parse: (text: string) => unknown = String,
): Single<unknown> {
  return { kind: 'value', placeholder, summary, parse };
}

/** `--table <name>`, as often as wanted. In the environment, several are separated by colons. */
export function many(placeholder: string, summary: string): Many<string> {
  return { kind: 'many', placeholder, summary, parse: String };
}

export function defineCommand<Options extends OptionShapes>(definition: CommandDefinition<Options>): AnyCommand {
  return definition as AnyCommand;
}
