/** Text that is HTML already. Everything else that enters a page is escaped. */
export interface Html {
  readonly html: string;
}

type Piece = Html | string | number | undefined | false | readonly Piece[];

/** A template whose values are escaped unless they are Html themselves. */
export function html(strings: TemplateStringsArray, ...pieces: readonly Piece[]): Html {
  return { html: strings.reduce((text, part, at) => text + show(pieces[at - 1]) + part) };
}

function show(piece: Piece): string {
  if (piece === undefined || piece === false) return '';
  if (typeof piece === 'object') return 'html' in piece ? piece.html : piece.map(show).join('');
  return String(piece).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
