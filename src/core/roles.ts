/**
 * Who may do what at a destination, each with credentials of its own where the configuration names them: the writer creates,
 * the keeper reads records and extends locks, the pruner deletes versions whose lock has ended, the reader reads everything.
 */
export type Role = 'writer' | 'keeper' | 'pruner' | 'reader';

export const roles: readonly Role[] = ['writer', 'keeper', 'pruner', 'reader'];
