/** Where a dataset was read. */
export interface Origin {
  /** The number that a PostgreSQL server gave itself when it was made; where the role may ask for it. */
  readonly server?: string;
  /** A path, or the name of a database. */
  readonly place?: string;
}

/** As the capture's facts have it. */
export function originOf({ systemIdentifier, database, path }: Readonly<Record<string, unknown>>): Origin {
  const place = typeof database === 'string' ? `database ${database}` : path;
  return {
    ...(typeof systemIdentifier === 'string' && { server: systemIdentifier }),
    ...(typeof place === 'string' && { place }),
  };
}

/** `another server`, `database shop_test instead of database shop`; undefined where it is the same, or nobody knows */
export function movedWords(was: Origin, now: Origin): string | undefined {
  const differs = (one: keyof Origin) => was[one] !== undefined && now[one] !== undefined && was[one] !== now[one];
  if (differs('place')) return `${now.place} instead of ${was.place}`;
  return differs('server') ? 'another server' : undefined;
}
