import { globSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { definedErrors } from '../../src/core/errors.ts';

const root = resolve(import.meta.dirname, '../..');
export const errorsPage = join(root, 'docs/errors.md');

/** The text of docs/errors.md: every error that the source defines, with its sentence and hint. */
export async function writeErrorsPage(): Promise<string> {
  for (const file of globSync('src/**/*.ts', { cwd: root })) {
    if (file.endsWith('.test.ts')) continue;
    if (/\bdefineError[<(]/.test(await readFile(join(root, file), 'utf8'))) await import(join(root, file));
  }
  const codes = [...definedErrors()].sort(([a], [b]) => (a < b ? -1 : 1));
  const parts = codes.map(([code, definition]) => {
    const { say, hint, exit, about } = definition as unknown as Definition;
    return `## ${code}\n\n${sentence(code, say)}\n\n${sentence(code, hint)}\n\nAbout: ${about}. Exit code ${exit}.\n`;
  });
  return `${heading}\n${parts.join('\n')}`;
}

const heading = `# Errors

Generated from the source by \`npm run errors\`; do not edit.

Every failure has a code that never changes, a sentence, and a hint that says what to do next. \`--json\` carries all three.
Exit code 1: the answer is no. 2: it could not be done. 64: wrong usage. What stands in \`<angle brackets>\` differs each time.

About says whose matter it is. *place*: a disk, a tool, a server or another process, here or at a destination; a drill that meets it is
inconclusive. *backup*: what was to be backed up, or what lies stored; also where that is not sure. *person*: what was asked for,
configured, or has to be brought. *lifeboat*: a mistake in Lifeboat; please report it.
`;

interface Definition {
  readonly exit: number;
  readonly about: string;
  readonly say: (fact: unknown) => string;
  readonly hint: (fact: unknown) => string;
}

/** What a definition says when each of its facts is its own name. */
function sentence(code: string, say: (fact: unknown) => string): string {
  try {
    const facts = new Proxy({}, { get: (_, name) => placeholder(String(name)) });
    // Arithmetic with a fact gives no number. Markdown would take angle brackets for a tag.
    return escapeMarkdown(say(facts).replace(/\bNaN\b/g, '<number>'));
  } catch (error) {
    throw new Error(`docs/errors.md cannot show ${code}: its sentence does too much with its facts`, { cause: error });
  }
}

/** Stands for a fact of any type: prints as `<name>`, and so does whatever is called on it or read from it. */
function placeholder(name: string): unknown {
  const shown = `<${name}>`;
  const itself: unknown = new Proxy(() => itself, {
    get(_, property) {
      if (property === Symbol.toPrimitive) return (wanted: string) => (wanted === 'number' ? Number.NaN : shown);
      if (property === Symbol.iterator) return () => [shown][Symbol.iterator]();
      if (property === 'toString' || property === 'toJSON') return () => shown;
      return itself;
    },
    apply: () => itself,
  });
  return itself;
}

function escapeMarkdown(text: string): string {
  return text.replace(/[*`\\<]/g, '\\$&').replace(/\s*\n\s*/g, ' ');
}

if (import.meta.main) await writeFile(errorsPage, await writeErrorsPage());
