/**
 * Whom a failure is about, whoever must mend it. A drill reads it: only `place` says nothing of the backup.
 * `place`: a disk, a tool, a server, a line or another process, of this machine or of a destination.
 * `backup`: what was to be backed up, or what lies stored. In doubt it is this.
 * `person`: what somebody asked for, wrote down, decided, or has to bring, such as a key.
 * `lifeboat`: a mistake in this program.
 */
export type About = 'place' | 'backup' | 'person' | 'lifeboat';

interface Words {
  readonly sentence: string;
  readonly hint: string;
}

/** What every failure that a person may see looks like: a stable code, one sentence, and what to do next. */
export class LifeboatError<Facts extends object = object> extends Error {
  readonly code: string;
  /** The process exit code: 1 the answer is no, 2 it could not be done, 64 wrong usage, 130 interrupted. */
  readonly exit: 1 | 2 | 64 | 130;
  /** The command or setting that mends it. */
  readonly hint: string;
  readonly about: About;
  /** What its sentence was made of: whoever needs one of them takes it from here, and never out of the sentence. */
  readonly facts: Facts;

  constructor(
    definition: Pick<ErrorDefinition<never>, 'code' | 'exit' | 'about'>,
    words: Words,
    facts: Facts,
    options?: ErrorOptions,
  ) {
    super(words.sentence, options);
    this.name = 'LifeboatError';
    this.code = definition.code;
    this.exit = definition.exit;
    this.hint = words.hint;
    this.about = definition.about;
    this.facts = facts;
  }
}

interface ErrorDefinition<Fact> {
  /** Lower-case words joined by hyphens; never changes once released. */
  code: string;
  about: About;
  exit: 1 | 2 | 64 | 130;
  say: (fact: Fact) => string;
  hint: (fact: Fact) => string;
}

export interface ErrorMaker<Fact extends object> {
  (fact: Fact, options?: ErrorOptions): LifeboatError<Fact>;
  readonly code: string;
  readonly exit: number;
  /** Whether `error` was made by this definition. */
  is(error: unknown): error is LifeboatError<Fact>;
}

const definitions = new Map<string, ErrorDefinition<never>>();

/** Defines one kind of error. The throw site carries facts; the sentence and the hint live here, once. */
export function defineError<Fact extends object>(definition: ErrorDefinition<Fact>): ErrorMaker<Fact> {
  if (definitions.has(definition.code)) throw new Error(`error code defined twice: ${definition.code}`);
  definitions.set(definition.code, definition as ErrorDefinition<never>);
  const make = (given: Fact, options?: ErrorOptions) => {
    const fact = Object.fromEntries(
      Object.entries(given).map(([name, value]) => [name, typeof value === 'string' ? oneLine(value) : value]),
    ) as Fact;
    return new LifeboatError(
      definition,
      { sentence: definition.say(fact), hint: definition.hint(fact) },
      fact,
      options,
    );
  };
  return Object.assign(make, {
    code: definition.code,
    exit: definition.exit,
    is: (error: unknown): error is LifeboatError<Fact> =>
      error instanceof LifeboatError && error.code === definition.code,
  });
}

/** All definitions loaded so far, for the generated docs/errors.md. */
export function definedErrors(): ReadonlyMap<string, ErrorDefinition<never>> {
  return definitions;
}

/** What others wrote, in a sentence of ours: a line that it begins could pass for one of ours. */
function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, ' ');
}

/** An error as one thread tells it to another. */
export interface SentError {
  readonly message: string;
  /** What the system called it, `ENOSPC`. */
  readonly errno?: string;
  /** Where it was one of ours. */
  readonly ours?: Pick<LifeboatError, 'code' | 'exit' | 'about' | 'hint' | 'facts'>;
}

export function sentError(error: unknown): SentError {
  const message = sentenceOf(error);
  if (error instanceof LifeboatError) {
    const { code, exit, about, hint, facts } = error;
    return { message, ours: { code, exit, about, hint, facts } };
  }
  const errno = error instanceof Error && 'code' in error ? error.code : undefined;
  return { message, ...(typeof errno === 'string' && { errno }) };
}

/** The same error on the other side. */
export function receivedError({ message, errno, ours }: SentError): Error {
  if (ours !== undefined) return new LifeboatError(ours, { sentence: message, hint: ours.hint }, ours.facts);
  return Object.assign(new Error(message), errno !== undefined && { code: errno });
}

/** What the system's codes say, of a file or folder that the message names by itself. */
const refusals: Readonly<Record<string, string>> = {
  ENOENT: 'it is not there',
  ENOTDIR: 'something on the way to it is no folder',
  EISDIR: 'it is a folder',
  EEXIST: 'something is there already',
  EACCES: 'permission denied',
  EPERM: 'it is not permitted',
  EROFS: 'its file system is read-only',
  ENOSPC: 'its disk is full',
  EDQUOT: 'the quota is used up',
  ELOOP: 'its links lead in a circle',
  ENAMETOOLONG: 'its name is too long',
};

/** Why a call of the system failed, for messages that name what it was about. */
export function whyOf(error: unknown): string {
  const code = error instanceof Error && 'syscall' in error && 'code' in error ? String(error.code) : '';
  return refusals[code] ?? sentenceOf(error);
}

/** What `run.problem` is told of a place that failed: the error's own code, where it has one. */
export function failureOfPlace(error: unknown): { readonly code: string; readonly message: string } {
  return { code: error instanceof LifeboatError ? error.code : 'destination-failed', message: sentenceOf(error) };
}

/** The sentence of any thrown thing, for messages that quote a cause. */
export function sentenceOf(error: unknown): string {
  if (error instanceof LifeboatError) return error.message;
  return oneLine(error instanceof Error ? error.message : String(error));
}
