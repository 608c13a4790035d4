import { parse } from 'yaml';
import type { Discovery, Proposal } from './discover.ts';
import type { Address } from './env-databases.ts';

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

function datasetText(proposal: Proposal): string {
  const head = `  # ${oneLine(proposal.why)}\n  ${quoted(proposal.name)}:`;
  switch (proposal.type) {
    case 'sqlite':
      return `${head} { type: sqlite, path: ${quoted(proposal.path)}, rpo: 15m, rto: 10m }`;
    case 'postgres':
      return `${head} { type: postgres, ${addressText(proposal.address)}, rpo: 15m, rto: 30m }`;
    case 'files': {
      const path = [proposal.path].flat().map(quoted).join(', ');
      const where = typeof proposal.path === 'string' ? path : `[${path}]`;
      const excluded = Object.entries(proposal.exclude).map(
        ([pattern, reason]) => `      ${quoted(pattern)}: ${quoted(reason)}`,
      );
      if (excluded.length === 0) return `${head} { type: files, path: ${where}, rpo: 1h, rto: 30m }`;
      const line = `${head}\n    type: files\n    path: ${where}\n    rpo: 1h\n    rto: 30m`;
      return `${line}\n    exclude:\n${excluded.join('\n')}`;
    }
  }
}

function addressText(address: Address): string {
  return Object.entries(address)
    .map(([part, text]) => `${part}: ${part === 'port' && /^\d+$/.test(text) ? text : quoted(text)}`)
    .join(', ');
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
  const database = found.datasets.find(({ type }) => type !== 'files');
  const known = Object.entries(env).map(([name, value]) => `  #     ${name}: ${quoted(value)}`);
  const restored = found.datasets
    .filter(({ name }) => name !== 'settings' && name !== 'host')
    .map((dataset) => {
      const variable = variableOf(dataset.name);
      const name = dataset.type === 'postgres' ? (databaseUrl ?? variable) : variable;
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
