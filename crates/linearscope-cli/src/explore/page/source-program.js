// Where answers come from: the program that serves this page.

export const program = {
  /** Whether it may go away and come back. */
  live: true,

  answer: (address, options) => fetch(address, options),

  /** Where an answer can be saved from. */
  url: async address => address,

  /** The nearest place of which there is a field: any. */
  snap: place => place,

  /** How many places apart fields are, of places of this side. */
  step: () => 1,
};
