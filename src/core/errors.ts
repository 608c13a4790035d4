/** What every failure that a person may see looks like: a stable code, one sentence, and what to do next. */
export class LifeboatError extends Error {
  readonly code: string;
  /** The process exit code: 1 the answer is no, 2 it could not be done, 64 wrong usage, 130 interrupted. */
  readonly exit: 1 | 2 | 64 | 130;
  /** The command or setting that mends it. */
  readonly hint: string;

  constructor(code: string, exit: 1 | 2 | 64 | 130, sentence: string, hint: string, options?: ErrorOptions) {
    super(sentence, options);
    this.name = 'LifeboatError';
    this.code = code;
    this.exit = exit;
    this.hint = hint;
  }
}

interface ErrorDefinition<Fact> {
  /** Lower-case words joined by hyphens; never changes once released. */
  code: string;
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
    return new LifeboatError(definition.code, definition.exit, definition.say(fact), definition.hint(fact), options);
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
