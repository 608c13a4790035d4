/** A name as SQL has it. */
export function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** A text as SQL has it, whatever `sql_mode` says of backslashes. */
export function literal(text: string): string {
  return text === '' ? "''" : `_utf8mb4 x'${Buffer.from(text).toString('hex')}'`;
}

/** A name for people and in what is recorded: plain where it can be read as one. */
export function showName(name: string): string {
  return /^[\p{L}\p{N}_$-]+$/u.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

/** Who may come in, and from where. */
export interface Account {
  readonly user: string;
  /** Empty: a role. */
  readonly host: string;
}

/** As SQL has it; for people too. */
export function showAccount({ user, host }: Account): string {
  return host === '' ? quoted(user) : `${quoted(user)}@${quoted(host)}`;
}

/** As CURRENT_USER() and definers have it. */
export function accountOf(text: string): Account {
  const at = text.lastIndexOf('@');
  return at < 0 ? { user: text, host: '' } : { user: text.slice(0, at), host: text.slice(at + 1) };
}

/** What an account needs of one database to read all of it. */
export const readingRights = ['SELECT', 'SHOW VIEW', 'TRIGGER', 'EVENT'] as const;

export function grantOf(account: string, database: string, rights: readonly string[] = readingRights): string {
  return `GRANT ${rights.join(', ')} ON ${quoted(database)}.* TO ${showAccount(accountOf(account))};`;
}
