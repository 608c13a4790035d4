import { parse } from 'yaml';
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

function datasetText(proposal: Proposal): string {
  const head = `  # ${oneLine(proposal.why)}\n  ${quoted(proposal.name)}:`;
  switch (proposal.type) {
    case 'sqlite':
      return `${head} { type: sqlite, path: ${quoted(proposal.path)}, rpo: 15m, rto: 10m }`;
    case 'postgres':
      return `${head} { type: postgres, url: ${quoted(proposal.url)}, rpo: 15m, rto: 30m }`;
    case 'files': {
      const line = `${head}\n    type: files\n    path: ${quoted(proposal.path)}\n    rpo: 1h\n    rto: 30m`;
      const excluded = Object.entries(proposal.exclude).map(
        ([pattern, reason]) => `      ${quoted(pattern)}: ${quoted(reason)}`,
      );
      return excluded.length > 0 ? `${line}\n    exclude:\n${excluded.join('\n')}` : line;
    }
  }
}

function unprotectedText(found: Discovery): string {
  return [
    '# Found, and not protected yet:',
    ...found.unprotected.map(({ what, why }) => `#   ${oneLine(what)}: ${why}`),
  ].join('\n');
}

function drillText(found: Discovery): string {
  const start = found.start ?? 'node server.js';
  const restored = found.datasets.map(({ name }) => `  #     ${variableOf(name)}: "\${RESTORED_${variableOf(name)}}"`);
  const database = found.datasets.find(({ type }) => type !== 'files');
  const check = database
    ? `  # checks:
  #   there are users: { type: sql, dataset: ${database.name}, query: select count(*) from users, expect: ">= 1" }
`
    : '';
  return `  # Starts the application on restored data. Give it the restored places under the names that it knows.
  # app:
  #   start: ${start}
  #   ready: "http://127.0.0.1:\${PORT}/"
  #   env:
${restored.join('\n')}
${check}`;
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
