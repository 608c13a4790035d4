import { parse } from 'yaml';
import { engineOf } from '../sources/engines.ts';
import type { Discovery, Proposal } from './discover.ts';

export interface StarterRecipient {
  /** `age1…` */
  readonly recipient: string;
  readonly purpose?: string;
}

/** The commented configuration that `lifeboat init` writes. It holds no secret. */
export function starterConfig(found: Discovery, recipients: readonly StarterRecipient[], schema: string): string {
  return `# yaml-language-server: $schema=${schema}
# What Lifeboat protects, where to, and how it is proved. Every key: docs/configuration.md
version: 1
system: ${quoted(found.system)}
${found.envFile === undefined ? '' : `\n# \${NAME} below is looked up in the environment, then here.\nenvFile: ${found.envFile}\n`}
vault:
  # Whoever holds the private key of one of these can restore. This file needs none of them.
  recipients:
${recipients.map(({ recipient, purpose }) => `    - ${recipient}${purpose ? ` # ${purpose}` : ''}`).join('\n')}

destinations:
  # The first copy. It shares this machine's fate: add one on another disk or host.
  local: { type: local, path: ./backups }
  # second: { type: local, path: /mnt/other-disk/${found.system} }

datasets:
  # rpo: how much may be lost at most; backups are scheduled from it. rto: how long until it is back.
${found.datasets.length > 0 ? found.datasets.map(datasetText).join('\n') : noDataset}
${found.unprotected.length > 0 ? `\n${unprotectedText(found)}\n` : ''}
drill:
  every: 7 days
${drillText(found)}`;
}

const noDataset = `  # Nothing was found. Uncomment one and correct it:
  # app-db: { type: sqlite, path: ./data/app.db, rpo: 15m, rto: 10m }
  # uploads: { type: files, path: ./uploads, rpo: 1h, rto: 30m }
  {}`;

function datasetText({ name, why, type, keys, exclude = {} }: Proposal): string {
  const head = `  # ${oneLine(why)}\n  ${quoted(name)}:`;
  const { rpo, rto } = engineOf(type).usual;
  const said = [['type', type] as const, ...Object.entries(keys)].map(
    ([key, value]) => `${key}: ${valueText(key, value)}`,
  );
  const all = [...said, `rpo: ${rpo}`, `rto: ${rto}`];
  const excluded = Object.entries(exclude);
  if (excluded.length === 0) return `${head} { ${all.join(', ')} }`;
  const rules = excluded.map(([pattern, reason]) => `      ${quoted(pattern)}: ${quoted(reason)}`);
  return [head, ...all.map((one) => `    ${one}`), '    exclude:', ...rules].join('\n');
}

function valueText(key: string, value: string | readonly string[]): string {
  if (typeof value !== 'string') return `[${value.map(quoted).join(', ')}]`;
  return key === 'port' && /^\d+$/.test(value) ? value : quoted(value);
}

function unprotectedText(found: Discovery): string {
  return [
    '# Found, and not protected yet:',
    ...found.unprotected.flatMap(({ what, why, proposal }) => [
      `#   ${oneLine(what)}: ${why}`,
      ...(proposal === undefined ? [] : [`#${datasetText(proposal).split('\n').at(-1)}`]),
    ]),
  ].join('\n');
}

function drillText(found: Discovery): string {
  const { start = 'node server.js', env = {}, databaseUrl } = found.app ?? {};
  const database = found.datasets.find(({ type }) => engineOf(type).query !== undefined);
  const known = Object.entries(env).map(([name, value]) => `  #     ${name}: ${quoted(value)}`);
  const restored = found.datasets
    .filter(({ name }) => name !== 'settings' && name !== 'host')
    .map((dataset) => {
      const variable = variableOf(dataset.name);
      const name = engineOf(dataset.type).server !== undefined ? (databaseUrl ?? variable) : variable;
      return `  #     ${name}: "\${RESTORED_${variable}}"`;
    });
  const rows = database
    ? `  #   there are users: { type: sql, dataset: ${database.name}, query: select count(*) from users, expect: ">= 1" }\n`
    : '';
  return `  # Starts the application on restored data. Give it the restored places under the names that it knows.
  # app:
  #   start: ${start}
  #   ready: "http://127.0.0.1:\${PORT}/"
  #   env:
${[...known, ...restored].join('\n')}
  # checks:
${rows}  #   sign in:
  #     type: http
  #     steps:
  #       - { method: POST, path: /login, form: { user: drill, password: "\${DRILL_PASSWORD}" }, expect: { status: 302 } }
  #       - { path: /, expect: { contains: Sign out } }
`;
}

function variableOf(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}

/** JSON's quotes are YAML's. Plain where it may be, and is read as the same text: `2026`, `1e5` and `true` are not. */
function quoted(text: string): string {
  const isPlain = /^[A-Za-z0-9_./][A-Za-z0-9_./ -]*$/.test(text) && !/^(yes|no|on|off|y|n)$/i.test(text);
  return isPlain && parse(text) === text ? text : JSON.stringify(text);
}

function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a name from outside must not end the comment
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, '?');
}
