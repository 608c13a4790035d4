export type About = 'place' | 'backup';

interface Words {
  readonly sentence: string;
  readonly hint: string;
}

/** What every failure that a person may see looks like: a stable code, one sentence, and what to do next. */
export class LifeboatError extends Error {
  readonly code: string;
  /** The process exit code: 1 the answer is no, 2 it could not be done, 64 wrong usage, 130 interrupted. */
  readonly exit: 1 | 2 | 64 | 130;
  /** The command or setting that mends it. */
  readonly hint: string;
  /** `place`: a disk, a tool, a server or a line is at fault, and nothing is said of the backup. In doubt it is the backup. */
  readonly about: About;

  constructor(
    definition: Pick<ErrorDefinition<never>, 'code' | 'exit' | 'about'>,
    words: Words,
    options?: ErrorOptions,
  ) {
    super(words.sentence, options);
    this.name = 'LifeboatError';
    this.code = definition.code;
    this.exit = definition.exit;
    this.hint = words.hint;
    this.about = definition.about ?? 'backup';
  }
}

interface ErrorDefinition<Fact> {
  /** Lower-case words joined by hyphens; never changes once released. */
  code: string;
  /** `place` where only this machine or a destination is at fault; what is said of data, plan or usage says nothing. */
  about?: About;
  exit: 1 | 2 | 64 | 130;
  say: (fact: Fact) => string;
  hint: (fact: Fact) => string;
}

export interface ErrorMaker<Fact> {
  (fact: Fact, options?: ErrorOptions): LifeboatError;
  readonly code: string;
  readonly exit: number;
  /** Whether `error` was made by this definition. */
  is(error: unknown): error is LifeboatError;
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
    return new LifeboatError(definition, { sentence: definition.say(fact), hint: definition.hint(fact) }, options);
  };
  return Object.assign(make, {
    code: definition.code,
    exit: definition.exit,
    is: (error: unknown): error is LifeboatError => error instanceof LifeboatError && error.code === definition.code,
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

/** The sentence of any thrown thing, for messages that quote a cause. */
export function sentenceOf(error: unknown): string {
  if (error instanceof LifeboatError) return error.message;
  return oneLine(error instanceof Error ? error.message : String(error));
}
