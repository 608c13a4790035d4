// biome-ignore-all lint/suspicious/noTemplateCurlyInString: hints show how references are written
import { z } from 'zod';
import { parseCondition } from '../core/condition.ts';
import { parseDuration } from '../core/duration.ts';
import { LifeboatError } from '../core/errors.ts';
import { referenceMistake } from './references.ts';

/**
 * The shape of `lifeboat.yaml`. Messages of unknown keys carry the known ones, joined by commas: explain.ts makes "did you
 * mean" of them. The published JSON Schema is generated from this.
 */
function object<Shape extends z.ZodRawShape>(shape: Shape) {
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

const duration = notation(parseDuration, 'a duration', '15m').refine((ms) => ms > 0, 'must be longer than nothing');
const condition = notation(parseCondition, 'a condition', '">= 1"');
const text = z.string().min(1, 'must not be empty');
const path = text
  .refine((written) => !written.startsWith('~'), "is taken literally: write the folder's full path instead of ~")
  .refine((written) => !written.includes('${'), 'is taken literally: it knows no references');
const reason = z
  .string({ error: 'needs a reason: why it may be left out' })
  .refine((words) => words.trim() !== '', 'needs a reason: why it may be left out');

/** Text with references; anything else that begins with `${` is refused rather than taken literally. */
const template = z.union([z.string(), z.number(), z.boolean()]).transform((value, context) => {
  const broken = referenceMistake(String(value));
  if (broken !== undefined) {
    const hint = 'Write ${VAR}, ${VAR:-default}, ${file:PATH} or ${command:WORDS}; $${ is a plain ${.';
    context.addIssue({ code: 'custom', message: `'${broken}' is not a reference`, params: { hint } });
  }
  return String(value);
});
const templates = z.record(text, template).default({});

/** JSON Schema of names: also used where only a key is wrong. */
const name = z
  .string()
  .max(40, 'is longer than 40 characters')
  .regex(/^[a-z0-9][a-z0-9-]*$/, 'may hold a–z, 0–9 and hyphens, and begins with a letter or digit');

const count = z.int('must be a whole number').min(0, 'must not be negative').max(100_000, 'is too many');

const retention = object({
  last: z.int('must be a whole number').min(1, 'must be at least 1').max(100_000, 'is too many').default(3),
  hourly: count.default(24),
  daily: count.default(7),
  weekly: count.default(4),
  monthly: count.default(12),
  yearly: count.default(0),
  within: duration.optional(),
}).prefault({});

const objectives = { rpo: duration.prefault('1h'), rto: duration.prefault('1h'), retention };

const dataset = z.discriminatedUnion(
  'type',
  [
    object({ type: z.literal('sqlite'), path, ...objectives }),
    object({
      type: z.literal('files'),
      path,
      exclude: z.record(text, reason).default({}),
      defaultExcludes: z.boolean().default(true),
      oneFileSystem: z.boolean().default(true),
      xattrs: z.boolean().default(true),
      ...objectives,
    }),
    object({
      type: z.literal('postgres'),
      url: template,
      exclude: z.record(text, reason).default({}),
      expectations: z.enum(['checksums', 'rows']).default('checksums'),
      ...objectives,
    }),
  ],
  { error: 'type must be sqlite, files or postgres' },
);

const destination = z.discriminatedUnion('type', [object({ type: z.literal('local'), path })], {
  error: 'type must be local',
});

const jsonPath = z.string().min(1).describe('Keys and indexes joined by dots: invoices.0.id');

const capture = z.union([object({ json: jsonPath }), object({ regex: text }), object({ header: text })], {
  error: 'must be one of { json: path }, { regex: pattern }, { header: name }',
});

const httpStep = object({
  method: z
    .string()
    .regex(/^[A-Z]+$/, 'is written in capitals: GET, POST')
    .default('GET'),
  path: template.refine((path) => path.startsWith('/'), 'must begin with /'),
  headers: templates,
  form: z.record(text, template).optional(),
  json: z.unknown().optional(),
  text: template.optional(),
  followRedirects: z.boolean().default(false),
  expect: object({
    status: z.union([z.int(), z.array(z.int()).min(1)]).optional(),
    contains: z.union([template, z.array(template)]).optional(),
    json: z.record(jsonPath, condition).default({}),
    contentType: text.optional(),
    minBytes: z.int().min(1).optional(),
    sha256: template.optional(),
  }).prefault({}),
  capture: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'may hold letters, digits and _'), capture)
    .default({}),
}).refine((step) => [step.form, step.json, step.text].filter((body) => body !== undefined).length <= 1, {
  message: 'has more than one body: keep one of form, json, text',
});

const timeout = (standard: string) => duration.prefault(standard);

const check = z.discriminatedUnion(
  'type',
  [
    object({
      type: z.literal('sql'),
      dataset: name,
      query: text,
      expect: condition,
      mayBeEmpty: z.boolean().default(false),
      timeout: timeout('1m'),
    }),
    object({
      type: z.literal('references'),
      from: object({ dataset: name, query: text }),
      in: name,
      path: text.optional(),
      opens: z.boolean().default(true),
      mayBeEmpty: z.boolean().default(false),
      timeout: timeout('10m'),
    }),
    object({
      type: z.literal('http'),
      steps: z.array(httpStep).min(1, 'needs at least one request'),
      timeout: timeout('1m'),
    }),
    object({ type: z.literal('command'), run: text, directory: path.optional(), timeout: timeout('5m') }),
    object({
      type: z.literal('freshness'),
      dataset: name,
      query: text,
      within: duration,
      mayBeEmpty: z.boolean().default(false),
      timeout: timeout('1m'),
    }),
  ],
  { error: 'type must be sql, references, http, command or freshness' },
);

const drill = object({
  every: duration.prefault('7 days'),
  app: object({
    start: text,
    ready: template.refine((url) => /^https?:\/\//.test(url), 'must be a URL: http://127.0.0.1:${PORT}/health'),
    readyTimeout: timeout('1m'),
    directory: path.optional(),
    env: templates,
  }).optional(),
  checks: z.record(z.string().min(1).max(80), check).default({}),
  skip: z.record(text, reason).default({}),
}).prefault({});

const recipient = z.string().regex(/^age1[02-9ac-hj-np-z]{58}$/, 'is not an age recipient: age1 and 58 characters');

export const configSchema = object({
  version: z.literal(1, { error: 'must be 1' }),
  system: name,
  environment: name.default('production'),
  envFile: path.optional(),
  vault: object({
    recipients: z.array(recipient).min(1, 'needs at least one recipient; lifeboat keys new makes a key pair'),
  }),
  destinations: z
    .record(name, destination)
    .refine(
      (all) => Object.keys(all).length > 0,
      'needs at least one destination: { local: { type: local, path: … } }',
    ),
  datasets: z
    .record(name, dataset)
    .refine((all) => Object.keys(all).length > 0, 'needs at least one dataset; lifeboat init looks for what there is'),
  drill,
}).meta({ title: 'lifeboat.yaml', description: 'What Lifeboat protects, where to, and how it is proved.' });

export type ConfigShape = z.output<typeof configSchema>;
