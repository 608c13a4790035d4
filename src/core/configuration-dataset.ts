/**
 * The dataset of every vault that holds the configuration itself, so that a bare machine can begin with the vault alone. No
 * dataset of a configuration may have its name.
 */
export const configurationDataset = 'lifeboat-config';
