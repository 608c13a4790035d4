// biome-ignore-all lint/suspicious/noTemplateCurlyInString: hints show how references are written
import { z } from 'zod';
import { parseCondition } from './condition.ts';
import { parseDuration } from './duration.ts';
import { LifeboatError } from './errors.ts';
import { referenceMistake } from './references.ts';
import { parseSize } from './size.ts';

/**
 * An object that takes no other keys. Messages of unknown keys carry the known ones, joined by commas: explain.ts makes "did
 * you mean" of them.
 */
export function object<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? Object.keys(shape).join(',') : undefined),
  });
}

/** Text in a notation of ours; the error's sentence and hint become the mistake. */
function notation<Value>(parse: (text: string) => Value, what: string, example: string) {
  return z
    .string({ error: `must be ${what}, for example ${example}` })
    .transform((text, context): Value => {
      try {
        return parse(text);
      } catch (error) {
        if (!(error instanceof LifeboatError)) throw error;
        context.addIssue({ code: 'custom', message: error.message, params: { hint: error.hint } });
        return z.NEVER;
      }
    })
    .meta({ examples: [example] });
}

export const duration = notation(parseDuration, 'a duration', '15m').refine(
  (ms) => ms > 0,
  'must be longer than nothing',
);
export const size = notation(parseSize, 'a size', '2 GiB');
export const condition = notation(parseCondition, 'a condition', '">= 1"');
export const text = z.string().min(1, 'must not be empty');
export const path = text
  .refine((written) => !written.startsWith('~'), "is taken literally: write the folder's full path instead of ~")
  .refine((written) => !written.includes('${'), 'is taken literally: it knows no references');
/** One, or a list of several. */
export const paths = z.union([path, z.array(path).min(1, 'needs at least one path')], {
  error: 'must be a path, or a list of paths',
});
export const reason = z
  .string({ error: 'needs a reason: why it may be left out' })
  .refine((words) => words.trim() !== '', 'needs a reason: why it may be left out');

/** Text with references; anything else that begins with `${` is refused rather than taken literally. */
export const template = z.union([z.string(), z.number(), z.boolean()]).transform((value, context) => {
  const broken = referenceMistake(String(value));
  if (broken !== undefined) {
    const hint = 'Write ${VAR}, ${VAR:-default}, ${file:PATH} or ${command:WORDS}; $${ is a plain ${.';
    context.addIssue({ code: 'custom', message: `'${broken}' is not a reference`, params: { hint } });
  }
  return String(value);
});
export const templates = z.record(text, template).default({});

/** JSON Schema of names: also used where only a key is wrong. */
export const name = z
  .string()
  .max(40, 'is longer than 40 characters')
  .regex(/^[a-z0-9][a-z0-9-]*$/, 'may hold a–z, 0–9 and hyphens, and begins with a letter or digit');
