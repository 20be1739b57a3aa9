using R1Serverless.Api.Dispatch;
using R1Serverless.Api.OpenAI;
using R1Serverless.Auth;
using R1Serverless.Monitoring;
using R1Serverless.Serving;

namespace R1Serverless.Api.Endpoints;

internal static class ApiEndpoints
{
    private static readonly string[] Reading = [HttpMethods.Get, HttpMethods.Head];

    /// <summary>The API's endpoints, and what takes their requests in.</summary>
    public static IServiceCollection AddApi(this IServiceCollection services) => services
        .AddRoutingCore().AddSingleton<WebPageGuard>()
        .AddSingleton<TokenMeter>().AddSingleton<EventStream>().AddSingleton<StatusEndpoints>().AddSingleton<CompletionEndpoints>()
        .AddSingleton<FileUpload>().AddSingleton<FileEndpoints>().AddSingleton<BatchEndpoints>().AddSingleton<RequestEndpoints>()
        .AddSingleton<QueueAdmin>().AddSingleton<TensorModels>().AddSingleton<OpenInferenceEndpoints>().AddSingleton<SeriesEndpoints>()
        .AddSingleton<CallerLimits>().AddSingleton<OwnerQuotaCheck>().AddSingleton<RequestAdmission>().AddSingleton<RequestDispatcher>();

    /// <summary>Every route there is. The Functions host's ApiFunctions list the same.</summary>
    public static void MapApi(this WebApplication app)
    {
        app.UseMiddleware<ApiErrorMiddleware>();
        // Behind it, since that makes one address of those that mean the same.
        app.UseRouting();

        var status = Get<StatusEndpoints>();
        MapRead("/", status.ServiceAsync);
        MapRead("/health/live", status.LiveAsync);
        MapRead("/health/ready", status.ReadyAsync);
        MapRead("/v1/models", status.ModelsAsync);
        // An id may have slashes.
        MapRead("/v1/models/{*id}", status.ModelAsync);

        var completions = Get<CompletionEndpoints>();
        foreach (var (path, api) in CompletionPaths.Routes)
            app.MapPost(path, (RequestDelegate)(context => completions.AnswerAsync(context, api)));

        var series = Get<SeriesEndpoints>();
        app.MapPost(SeriesEndpoints.Path, (RequestDelegate)series.AnswerAsync);
        app.MapDelete(SeriesEndpoints.Path + "/{key}", (RequestDelegate)series.RemoveAsync);

        var tensors = Get<OpenInferenceEndpoints>();
        MapRead("/v2", tensors.ServerAsync);
        MapRead("/v2/health/live", tensors.LiveAsync);
        MapRead("/v2/health/ready", tensors.ReadyAsync);
        foreach (var model in (string[])["/v2/models/{model}", "/v2/models/{model}/versions/{version}"])
        {
            MapRead(model, tensors.ModelAsync);
            MapRead(model + "/ready", tensors.ModelReadyAsync);
            app.MapPost(model + "/infer", (RequestDelegate)tensors.InferAsync);
        }

        app.MapPost("/v2/repository/index", (RequestDelegate)tensors.IndexAsync);
        app.MapPost("/v2/repository/models/{model}/load", (RequestDelegate)tensors.LoadAsync);
        app.MapPost("/v2/repository/models/{model}/unload", (RequestDelegate)tensors.UnloadAsync);

        var files = Get<FileEndpoints>();
        app.MapPost("/v1/files", (RequestDelegate)files.UploadAsync);
        MapRead("/v1/files", files.ListAsync);
        MapRead("/v1/files/{id}", files.FindAsync);
        MapRead("/v1/files/{id}/content", files.ReadAsync);
        app.MapDelete("/v1/files/{id}", (RequestDelegate)files.DeleteAsync);

        var batches = Get<BatchEndpoints>();
        app.MapPost("/v1/batches", (RequestDelegate)batches.CreateAsync);
        MapRead("/v1/batches", batches.ListAsync);
        MapRead("/v1/batches/{id}", batches.FindAsync);
        app.MapPost("/v1/batches/{id}/cancel", (RequestDelegate)batches.CancelAsync);

        var requests = Get<RequestEndpoints>();
        MapRead(RequestEndpoints.Path + "{id}", requests.FindAsync);
        app.MapDelete(RequestEndpoints.Path + "{id}", (RequestDelegate)requests.CancelAsync);

        // What operators see and do, with keys of their own.
        var queues = Get<QueueAdmin>();
        var keys = Get<ActiveKeys>();
        MapRead("/manage/queues", queues.StatisticsAsync);
        MapRead("/manage/queues/{class}/messages", queues.MessagesAsync);
        MapRead("/manage/queues/{class}/dead-letters", queues.DeadLettersAsync);
        app.MapPost("/manage/queues/{class}/redrive", (RequestDelegate)queues.RedriveAsync);
        MapRead("/manage/keys", context => JsonAnswers.WriteAsync(context, KeyFileFormat.List(keys.Ring.Keys)));

        if (Get<ServeOptions>().Monitoring.HasPage) MapRead(MetricsPage.Path, Get<MonitoringStart>().WritePageAsync);

        T Get<T>()
            where T : notnull => app.Services.GetRequiredService<T>();

        // HEAD is GET without the body (RFC 9110, section 9.3.2): the web server leaves it out.
        void MapRead(string pattern, RequestDelegate answer) => app.MapMethods(pattern, Reading, answer);
    }
}
