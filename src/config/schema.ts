// biome-ignore-all lint/suspicious/noTemplateCurlyInString: hints show how references are written
import { z } from 'zod';
import { condition, duration, name, object, path, reason, size, template, templates, text } from '../core/notations.ts';
import type { Engine, EngineDataset } from '../sources/engine.ts';
import { engines } from '../sources/registry.ts';
import { destination } from './destination-schema.ts';
import { retention } from './retention-schema.ts';

/** The shape of `lifeboat.yaml`. The published JSON Schema is generated from this. */

const objectives = {
  rpo: duration.prefault('1h'),
  rto: duration.prefault('1h'),
  retention,
  mayBeEmpty: reason.optional(),
};

/** Tables that may lose most of their rows, each with its reason. */
const mayShrink = z.record(text, reason).default({});

/** What every dataset says, and what its engine wants to know. */
function datasetOf({ kind, holds, keys, refine }: Engine) {
  const tables = holds === 'tables' ? { mayShrink } : {};
  const shape = object({ type: z.literal(kind), ...keys, ...tables, ...objectives });
  return refine === undefined ? shape : shape.superRefine(refine);
}

type DatasetShape = z.output<ReturnType<typeof object<typeof objectives>>> &
  EngineDataset & { readonly mayShrink?: z.output<typeof mayShrink> };

const dataset = z.discriminatedUnion('type', engines.map(datasetOf) as [ReturnType<typeof datasetOf>], {
  error: `type must be ${inWords(engines.map(({ kind }) => kind))}`,
}) as unknown as z.ZodType<DatasetShape>;

function inWords(kinds: readonly string[]): string {
  return kinds.join(', ').replace(/, ([^,]*)$/, ' or $1');
}

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

/** An Ed25519 public key: 32 bytes in base64, as `lifeboat keys list` shows it. */
const key = z.string().regex(/^[A-Za-z0-9+/]{43}=$/, 'is not the key of a writer: 44 characters of base64');

/** A key alone speaks for this system only. */
const writer = z.union([key, object({ key, systems: z.array(name).min(1, 'needs at least one system') })], {
  error: 'is not the key of a writer: 44 characters of base64, or { key: …, systems: [ … ] }',
});

const count = (least: number) => z.int().min(least).optional();

const drill = object({
  every: duration.prefault('7 days'),
  writers: z.array(writer).default([]),
  app: object({
    start: text,
    ready: template.refine((url) => /^https?:\/\//.test(url), 'must be a URL: http://127.0.0.1:${PORT}/health'),
    readyTimeout: timeout('1m'),
    directory: path.optional(),
    writes: z.array(path).default([]),
    env: templates,
  }).optional(),
  limits: object({
    memory: size.optional(),
    processes: count(16),
    openFiles: count(256),
    disk: size.optional(),
    files: count(0),
    time: duration.optional(),
  }).prefault({}),
  checks: z.record(z.string().min(1).max(80), check).default({}),
  skip: z.record(text, reason).default({}),
}).prefault({});

const recipient = z
  .string()
  .regex(
    /^(age1[02-9ac-hj-np-z]{58}|ssh-(ed25519|rsa) [A-Za-z0-9+/]{68,}={0,2}( .*)?)$/,
    'is not a recipient: age1 and 58 characters, or the line of a public SSH key (ssh-ed25519 …, ssh-rsa …)',
  )
  // The comment of an SSH key says nothing about the key.
  .transform((line) => line.split(' ', 2).join(' '));

export const configSchema = object({
  version: z.literal(1, { error: 'must be 1' }),
  system: name,
  environment: name.default('production'),
  envFile: path.optional(),
  vault: object({
    recipients: z.array(recipient).min(1, 'needs at least one recipient; lifeboat keys new makes a key pair'),
    writers: z.array(writer).default([]),
    pruners: z.array(writer).default([]),
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
  retention,
  drill,
  accepted: z.record(text, reason).default({}),
}).meta({ title: 'lifeboat.yaml', description: 'What Lifeboat protects, where to, and how it is proved.' });

export type ConfigShape = z.output<typeof configSchema>;
