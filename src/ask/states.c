#include "ask/states.h"

#define SETTLED ASK_BIT(ASK_SETTLED)

const struct ask_state_row ask_states[ASK_STATES] = {
	[ASK_QUIET] = {"quiet", ASK_BIT(ASK_BODY) | ASK_BIT(ASK_SEND) | SETTLED, false},
	[ASK_BODY] = {"body", ASK_BIT(ASK_SEND) | SETTLED, true},
	[ASK_SEND] = {"send", ASK_BIT(ASK_ANSWER) | SETTLED, true},
	[ASK_ANSWER] = {"answer", ASK_BIT(ASK_EXCHANGE) | SETTLED, true},
	[ASK_EXCHANGE] = {"exchange", ASK_BIT(ASK_GRACE) | SETTLED, true},
	[ASK_GRACE] = {"grace", SETTLED, true},
	[ASK_SETTLED] = {"settled", ASK_BIT(ASK_BODY) | ASK_BIT(ASK_SEND) | SETTLED, false},
};
