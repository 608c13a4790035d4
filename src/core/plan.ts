/** What brings a whole system back, in order: as a person reads it, and as a drill executes it. */
export interface RecoveryPlan {
  readonly system: string;
  readonly steps: readonly PlanStep[];
}

export interface PlanStep {
  /** Unique: `app-db/restore`, `application/start`. */
  readonly id: string;
  /** Absent for steps of the whole system. */
  readonly dataset?: string;
  readonly action: PlanAction;
  readonly purpose: string;
  /** The command, or for a manual step the exact words of what to do. */
  readonly runs: string;
  /** What shows that it worked. */
  readonly proves: string;
  /** From its own start. */
  readonly deadlineMs: number;
  readonly who: 'lifeboat' | 'operator';
  /** Why a drill cannot show that this step works. Absent where the drill executes it. */
  readonly notProved?: string;
}

export type PlanAction = 'find' | 'restore' | 'integrity' | 'expectations' | 'check' | 'start' | 'clean-up' | 'manual';

/** What of the configuration a plan is made of. */
export interface PlanInput {
  readonly name: string;
  readonly datasets: Readonly<Record<string, { readonly type: string; readonly rtoMs: number }>>;
  readonly drill: {
    readonly app?: {
      readonly start: string;
      readonly ready: { readonly shown: string };
      readonly readyTimeoutMs: number;
    };
    readonly checks: ReadonlyArray<PlannedCheck>;
    readonly skip: ReadonlyArray<{ readonly what: string; readonly reason: string }>;
  };
}

interface PlannedCheck {
  readonly id: string;
  readonly type: string;
  readonly timeoutMs: number;
}

/** Checks of the application; all others look at restored data before anything can change it. */
export function needsApplication(check: { readonly type: string }): boolean {
  return check.type === 'http' || check.type === 'command';
}

const cleanUpMs = 5 * 60_000;

/**
 * The plan of `scope`, the names of datasets; all when absent. Data is checked before the application starts: from then on it
 * changes.
 */
export function recoveryPlan(input: PlanInput, scope: readonly string[] = Object.keys(input.datasets)): RecoveryPlan {
  const { app, checks } = input.drill;
  const data = checks.filter((check) => !needsApplication(check));
  const application = checks.filter(needsApplication);
  const steps = [
    ...scope.map((dataset) => find(input, dataset)),
    ...scope.map((dataset) => restore(input, dataset)),
    ...scope.flatMap((dataset) => inspect(input, dataset)),
    ...data.map((check) => checkStep(input, check)),
    ...(app === undefined ? [] : [startStep(app)]),
    ...application.map((check) => checkStep(input, check)),
    ...(app === undefined ? [noApplication] : []),
    traffic,
    cleanUp,
  ];
  return { system: input.name, steps };
}

function find(input: PlanInput, dataset: string): PlanStep {
  return {
    id: `${dataset}/find`,
    dataset,
    action: 'find',
    purpose: `Find the newest restore point of ${dataset}.`,
    runs: `lifeboat list ${dataset}`,
    proves: 'Its signed record is there, and it is young enough for the objective.',
    deadlineMs: rto(input, dataset),
    who: 'lifeboat',
  };
}

function restore(input: PlanInput, dataset: string): PlanStep {
  return {
    id: `${dataset}/restore`,
    dataset,
    action: 'restore',
    purpose: `Bring ${dataset} back.`,
    runs: `lifeboat restore ${dataset} --identity KEY`,
    proves: 'Every byte has the hash that was recorded, and the engine opens it.',
    deadlineMs: rto(input, dataset),
    who: 'lifeboat',
  };
}

function inspect(input: PlanInput, dataset: string): PlanStep[] {
  const common = { dataset, deadlineMs: rto(input, dataset), who: 'lifeboat' } as const;
  return [
    {
      ...common,
      id: `${dataset}/integrity`,
      action: 'integrity',
      purpose: `Let the engine examine ${dataset}.`,
      runs: 'The integrity checks of the engine itself.',
      proves: 'The engine finds no damage.',
    },
    {
      ...common,
      id: `${dataset}/expectations`,
      action: 'expectations',
      purpose: `Compare ${dataset} with what the backup recorded about it.`,
      runs: 'Row counts and checksums of every table, or the names of every file.',
      proves: 'They are equal.',
    },
  ];
}

function checkStep(input: PlanInput, check: PlannedCheck): PlanStep {
  const skipped = input.drill.skip.find(({ what }) => what === check.id);
  return {
    id: check.id,
    action: 'check',
    purpose: `Check: ${check.id}.`,
    runs: `drill.checks.${check.id} of the configuration (${check.type})`,
    proves: 'Its condition is met.',
    deadlineMs: check.timeoutMs,
    who: 'lifeboat',
    ...(skipped === undefined ? {} : { notProved: `Left out on purpose: ${skipped.reason}` }),
  };
}

function startStep(app: NonNullable<PlanInput['drill']['app']>): PlanStep {
  return {
    id: 'application/start',
    action: 'start',
    purpose: 'Start the application on the restored data.',
    runs: app.start,
    proves: `${app.ready.shown} answers.`,
    deadlineMs: app.readyTimeoutMs,
    who: 'lifeboat',
  };
}

const noApplication: PlanStep = {
  id: 'application/start',
  action: 'manual',
  purpose: 'Start the application on the restored data.',
  runs: 'Start the application as on the lost host.',
  proves: 'It answers.',
  deadlineMs: 0,
  who: 'operator',
  notProved: 'The configuration has no drill.app, so no drill can start it.',
};

const traffic: PlanStep = {
  id: 'traffic/switch',
  action: 'manual',
  purpose: 'Let users reach the recovered application.',
  runs: 'Point DNS, the load balancer or the proxy at the recovered host.',
  proves: 'The public address answers from the recovered host.',
  deadlineMs: 0,
  who: 'operator',
  notProved: 'A drill is closed off from the network.',
};

const cleanUp: PlanStep = {
  id: 'clean-up',
  action: 'clean-up',
  purpose: 'Remove everything that the drill made.',
  runs: 'lifeboat gc',
  proves: 'No process, mount or file of the sandbox is left.',
  deadlineMs: cleanUpMs,
  who: 'lifeboat',
};

function rto(input: PlanInput, dataset: string): number {
  return input.datasets[dataset]?.rtoMs ?? 0;
}
