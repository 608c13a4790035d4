/** Every way to change one value of a JSON document that somebody might read differently. */
export function* changesOf(value: unknown): Generator<{ readonly what: string; readonly changed: unknown }> {
  if (Array.isArray(value)) {
    yield { what: '[]', changed: [] };
    yield { what: 'one more', changed: [...value, value[0] ?? 'x'] };
    if (value.length > 0) yield { what: 'one less', changed: value.slice(1) };
    if (value.length > 1) yield { what: 'reversed', changed: value.toReversed() };
    for (const [at, one] of value.entries()) {
      for (const { what, changed } of changesOf(one))
        yield { what: `${at}: ${what}`, changed: value.with(at, changed) };
    }
  } else if (typeof value === 'object' && value !== null) {
    yield { what: '{}', changed: {} };
    yield { what: 'a new field', changed: { ...value, 'new-field': { of: ['later', 1] } } };
    for (const [name, one] of Object.entries(value)) {
      const { [name]: _, ...rest } = value as Record<string, unknown>;
      yield { what: `no ${name}`, changed: rest };
      yield { what: `${name} as ${name.toUpperCase()}`, changed: { ...rest, [name.toUpperCase()]: one } };
      for (const { what, changed } of changesOf(one))
        yield { what: `${name}: ${what}`, changed: { ...rest, [name]: changed } };
    }
  } else if (typeof value === 'number') {
    for (const changed of [-1, 0, value + 1, 2 ** 53 - 1, String(value)]) yield { what: String(changed), changed };
  } else if (typeof value === 'string') {
    const some = [
      value.toUpperCase(),
      value.toLowerCase(),
      `${value}a`,
      `${value}\n`,
      ` ${value}`,
      value.slice(1),
      value.slice(0, -1),
    ];
    const others = [
      '',
      '-',
      '.',
      '..',
      '../x',
      'é',
      '\u0000',
      'x'.repeat(1001),
      '2026-02-30T00:00:00.000Z',
      '2026-01-01T00:00:00Z',
    ];
    for (const changed of new Set([...some, ...others])) {
      if (changed !== value) yield { what: JSON.stringify(changed.slice(0, 80)), changed };
    }
  }
  for (const changed of [null, true, [], {}, 1, 'x']) {
    if (JSON.stringify(changed) !== JSON.stringify(value)) yield { what: JSON.stringify(changed), changed };
  }
}
