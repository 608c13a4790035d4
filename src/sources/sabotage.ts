/** What a sabotage hurts: whoever checks the copy says which of its checks has to see that. An engine knows none of them. */
export type Harm = 'rows' | 'definition' | 'storage' | 'file';

/** One way to break a restored copy. Each finds the copy whole. */
export interface Sabotage {
  /** What is wrong then, for people: `a row is lost`. Each engine's are unlike. */
  readonly name: string;
  readonly harm: Harm;
  /** Looks for something to hurt. @returns it, or why there is nothing to hurt in this way here */
  aim(): Promise<Aimed | NotTried>;
}

export interface NotTried {
  readonly reason: string;
}

/** Something that is about to be hurt. Its disposal makes the copy whole again, or takes the broken one away. */
export interface Aimed extends AsyncDisposable {
  /** Where the broken copy is, as `measure` takes it. */
  readonly where: string;
  /** For people: `public.orders`, `3/invoice.pdf`. */
  readonly what: string;
  /** Names by which it is known: whoever found the damage says one of them. */
  readonly names: readonly string[];
  /** All that is about to change, as a text. */
  look(): Promise<string>;
  strike(): Promise<void>;
}

/** Everything that an engine knows of breaking a copy. */
export interface Saboteur extends AsyncDisposable {
  readonly sabotages: readonly Sabotage[];
}
