import { resolve } from 'node:path';
import type { KnownWriter } from '../core/known-writer.ts';
import type { Expandable } from '../core/references.ts';
import { engineOf } from '../sources/engines.ts';
import { expandable, expandableJson, type ReferenceContext } from './references.ts';
import { buildRetention } from './retention-schema.ts';
import type { ConfigShape } from './schema.ts';
import type { Check, DatasetConfig, DrillConfig, HttpBody, HttpStep } from './system.ts';

/** From the file's shape to what the program uses: absolute paths, references that wait, maps as lists. */

type DatasetShape = ConfigShape['datasets'][string];
type DrillShape = ConfigShape['drill'];
type CheckShape = DrillShape['checks'][string];
type StepShape = Extract<CheckShape, { type: 'http' }>['steps'][number];

export function buildDataset(
  name: string,
  shape: DatasetShape,
  context: ReferenceContext,
  { retention: usual, environment }: Pick<ConfigShape, 'retention' | 'environment'>,
): DatasetConfig {
  const retention = buildRetention(shape.retention, usual, environment);
  const { mayBeEmpty } = shape;
  const common = {
    name,
    rpoMs: shape.rpo,
    rtoMs: shape.rto,
    retention,
    ...(mayBeEmpty !== undefined && { mayBeEmpty }),
  };
  const { type, mayShrink } = shape;
  return {
    ...engineOf(type).build(shape, { root: context.root, expandable: (text, key) => expandable(text, context, key) }),
    ...common,
    type,
    ...(mayShrink !== undefined && { mayShrink: tables(mayShrink) }),
  };
}

/** A key alone speaks for this system; the same key may be named several times. */
export function buildWriters(shape: ConfigShape['vault']['writers'], system: string): KnownWriter[] {
  const byKey = Map.groupBy(shape, (one) => (typeof one === 'string' ? one : one.key));
  return [...byKey].map(([key, named]) => {
    const isBare = named.every((one) => typeof one === 'string');
    const systems = new Set(named.flatMap((one) => (typeof one === 'string' ? [system] : one.systems)));
    return { key, systems: [...systems], ...(isBare && { isBare }) };
  });
}

function tables(shape: Readonly<Record<string, string>>): { table: string; reason: string }[] {
  return Object.entries(shape).map(([table, reason]) => ({ table, reason }));
}

export function buildDrill(shape: DrillShape, system: string, context: ReferenceContext): DrillConfig {
  const { app } = shape;
  const { memory, processes, openFiles, disk, files, time } = shape.limits;
  return {
    everyMs: shape.every,
    writers: buildWriters(shape.writers, system),
    limits: {
      ...(memory !== undefined && { memoryBytes: memory }),
      ...(processes !== undefined && { processes }),
      ...(openFiles !== undefined && { openFiles }),
      ...(disk !== undefined && { diskBytes: disk }),
      ...(files !== undefined && { files }),
      ...(time !== undefined && { timeMs: time }),
    },
    checks: Object.entries(shape.checks).map(([id, check]) => buildCheck(id, check, context)),
    skip: Object.entries(shape.skip).map(([what, reason]) => ({ what, reason })),
    ...(app && {
      app: {
        start: app.start,
        ready: expandable(app.ready, context),
        readyTimeoutMs: app.readyTimeout,
        directory: resolve(context.root, app.directory ?? '.'),
        writes: app.writes.map((folder) => resolve(context.root, folder)),
        env: expandables(app.env, context),
      },
    }),
  };
}

function buildCheck(id: string, shape: CheckShape, context: ReferenceContext): Check {
  const common = { id, timeoutMs: shape.timeout };
  switch (shape.type) {
    case 'sql': {
      const { type, dataset, query, expect, mayBeEmpty } = shape;
      return { ...common, type, dataset, query, expect, mayBeEmpty };
    }
    case 'references': {
      const { type, from, in: files, path, opens, mayBeEmpty } = shape;
      return { ...common, type, from, in: files, opens, mayBeEmpty, ...(path !== undefined && { path }) };
    }
    case 'http':
      return { ...common, type: 'http', steps: shape.steps.map((step) => buildStep(step, context)) };
    case 'command':
      return { ...common, type: 'command', run: shape.run, directory: resolve(context.root, shape.directory ?? '.') };
    case 'freshness': {
      const { type, dataset, query, within, mayBeEmpty } = shape;
      return { ...common, type, dataset, query, withinMs: within, mayBeEmpty };
    }
  }
}

function buildStep(shape: StepShape, context: ReferenceContext): HttpStep {
  const { expect } = shape;
  const body = buildBody(shape, context);
  return {
    method: shape.method,
    path: expandable(shape.path, context),
    headers: expandables(shape.headers, context),
    followRedirects: shape.followRedirects,
    expect: {
      status: [expect.status ?? []].flat(),
      contains: [expect.contains ?? []].flat().map((text) => expandable(text, context)),
      json: Object.entries(expect.json).map(([path, condition]) => ({ path: path.split('.'), expect: condition })),
      ...(expect.contentType !== undefined && { contentType: expect.contentType.toLowerCase() }),
      ...(expect.minBytes !== undefined && { minBytes: expect.minBytes }),
      ...(expect.sha256 !== undefined && { sha256: expandable(expect.sha256, context) }),
    },
    capture: Object.fromEntries(
      Object.entries(shape.capture).map(([variable, from]) => [
        variable,
        'json' in from
          ? { from: 'json', path: from.json.split('.') }
          : 'regex' in from
            ? { from: 'regex', pattern: from.regex }
            : { from: 'header', name: from.header },
      ]),
    ),
    ...(body && { body }),
  };
}

function buildBody(shape: StepShape, context: ReferenceContext): HttpBody | undefined {
  if (shape.form !== undefined) return { kind: 'form', fields: expandables(shape.form, context) };
  if (shape.json !== undefined) return { kind: 'json', text: expandableJson(shape.json, context) };
  if (shape.text !== undefined) return { kind: 'text', text: expandable(shape.text, context) };
  return undefined;
}

function expandables(record: Readonly<Record<string, string>>, context: ReferenceContext): Record<string, Expandable> {
  return Object.fromEntries(Object.entries(record).map(([name, text]) => [name, expandable(text, context, name)]));
}
