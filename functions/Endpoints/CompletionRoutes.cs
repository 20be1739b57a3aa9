using R1Serverless.OpenAi;

namespace R1Serverless.Endpoints;

internal static class CompletionRoutes
{
    public static void MapCompletions(this WebApplication app)
    {
        CompletionEndpoints completions = app.Services.GetRequiredService<CompletionEndpoints>();
        app.MapPost("/v1/chat/completions", (RequestDelegate)(context => completions.AnswerAsync(context, CompletionApi.Chat)));
        app.MapPost("/v1/completions", (RequestDelegate)(context => completions.AnswerAsync(context, CompletionApi.Text)));
    }
}
