#include "ask/states.h"

#define SETTLED   ASK_BIT(ASK_SETTLED)
#define ABANDONED ASK_BIT(ASK_ABANDONED)

const struct ask_state_row ask_states[ASK_STATES] = {
	[ASK_QUIET] = {"quiet", ASK_BIT(ASK_BODY) | ASK_BIT(ASK_SEND) | SETTLED, false, false},
	[ASK_BODY] = {"body", ASK_BIT(ASK_SEND) | SETTLED, true, false},
	[ASK_SEND] = {"send", ASK_BIT(ASK_ANSWER) | ABANDONED, true, true},
	[ASK_ANSWER] = {"answer", ASK_BIT(ASK_EXCHANGE) | ABANDONED, true, true},
	[ASK_EXCHANGE] = {"exchange", ASK_BIT(ASK_FINISHED) | ABANDONED, true, true},
	[ASK_FINISHED] = {"finished", ASK_BIT(ASK_GRACE) | SETTLED | ABANDONED, true, true},
	[ASK_GRACE] = {"grace", SETTLED, true, true},
	[ASK_SETTLED] = {"settled", ASK_BIT(ASK_BODY) | ASK_BIT(ASK_SEND) | SETTLED, false, false},
	/* Later asks can only settle without a request: with the connection's certificate, or as impossible. */
	[ASK_ABANDONED] = {"abandoned", ABANDONED, false, false},
};
