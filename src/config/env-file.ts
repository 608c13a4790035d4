/** The variables of a `.env` file: `KEY=value`, `export KEY="value"`, comments. Nothing is expanded. */
export function parseEnvFile(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of text.split(/\r?\n/)) {
    const parts = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line);
    if (!parts?.[1]) continue;
    found[parts[1]] = unquoted(parts[2] ?? '');
  }
  return found;
}

function unquoted(text: string): string {
  const quoted = /^"((?:[^"\\]|\\.)*)"|^'([^']*)'/.exec(text);
  if (quoted?.[1] !== undefined) return quoted[1].replace(/\\n/g, '\n').replace(/\\(.)/g, '$1');
  if (quoted?.[2] !== undefined) return quoted[2];
  return text.replace(/\s+#.*$/, '');
}
