using R1Serverless.OpenAi;

namespace R1Serverless.Endpoints;

internal static class CompletionRoutes
{
    public static void MapCompletions(this IEndpointRouteBuilder routes)
    {
        CompletionEndpoints completions = routes.ServiceProvider.GetRequiredService<CompletionEndpoints>();
        routes.MapPost("/v1/chat/completions", (RequestDelegate)(context => completions.AnswerAsync(context, CompletionApi.Chat)));
        routes.MapPost("/v1/completions", (RequestDelegate)(context => completions.AnswerAsync(context, CompletionApi.Text)));
    }
}
