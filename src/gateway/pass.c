#include "gateway/answer.h"
#include "gateway/local.h"
#include "gateway/proxy.h"
#include "gateway/request.h"

/* The verdict is known, or none was needed: the upstream gets the request only now. */
enum gw_step gw_run_pass(struct gw_stream *stream)
{
	if (!gw_write_kept(stream))
		return GW_MOVED;
	if (stream->ops != NULL)
		return stream->ops->pass(stream);
	bool proxy = stream->route->config->upstream == CONFIG_PROXY && !gw_ends_here(stream);
	stream->ops = proxy ? gw_upstream_proxy() : gw_upstream_local();
	return stream->ops->begin(stream);
}
