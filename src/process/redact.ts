export interface Redactor {
  redact(text: string): string;
  /** Characters of the longest form of any secret: a text cut at its start may begin with that many of one. */
  readonly longest: number;
}

const mark = '[redacted]';

/** Takes secrets out of texts: as they are, as they stand in a URL, and whatever password a URL holds anyway. */
export function redactor(secrets: readonly string[]): Redactor {
  const forms = new Set(secrets.flatMap((secret) => [secret, encodeURIComponent(secret), encodeURI(secret)]));
  forms.delete('');
  const longestFirst = [...forms].sort((a, b) => b.length - a.length);
  return {
    longest: longestFirst[0]?.length ?? 0,
    redact: (text) =>
      longestFirst
        .reduce((rest, form) => rest.replaceAll(form, mark), text)
        .replace(/(:\/\/[^\s/:@]{0,256}:)[^\s/@]{1,1024}@/g, `$1${mark}@`),
  };
}
