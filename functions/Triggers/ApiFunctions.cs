using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Http;

namespace R1Serverless.Triggers;

/// <summary>
/// One function for each route of the API, so that each has its name, metrics and switch in the portal. A function here is no more than that: the
/// host hands the request itself to the server, see <see cref="FunctionsWorker"/>. They take every method, so that the server answers what a route
/// does not take. The host tries routes in the order of the functions' names: one that takes
/// another's addresses too has the later name. <see cref="AuthorizationLevel.Anonymous"/>, since clients of OpenAI's API send their keys as Bearer
/// tokens, which the server checks.
/// </summary>
public static class ApiFunctions
{
    [Function("ChatCompletions")]
    public static void ChatCompletions([HttpTrigger(AuthorizationLevel.Anonymous, Route = "v1/chat/completions")] HttpRequestData request) { }

    [Function("TextCompletions")]
    public static void TextCompletions([HttpTrigger(AuthorizationLevel.Anonymous, Route = "v1/completions")] HttpRequestData request) { }

    [Function("Responses")]
    public static void Responses([HttpTrigger(AuthorizationLevel.Anonymous, Route = "v1/responses")] HttpRequestData request) { }

    [Function("AzureChatCompletions")]
    public static void AzureChatCompletions(
    [HttpTrigger(AuthorizationLevel.Anonymous, Route = "openai/deployments/{deployment}/chat/completions")] HttpRequestData request)
    { }

    [Function("AzureTextCompletions")]
    public static void AzureTextCompletions(
    [HttpTrigger(AuthorizationLevel.Anonymous, Route = "openai/deployments/{deployment}/completions")] HttpRequestData request)
    { }

    [Function("Embeddings")]
    public static void Embeddings([HttpTrigger(AuthorizationLevel.Anonymous, Route = "v1/embeddings")] HttpRequestData request) { }

    [Function("AzureEmbeddings")]
    public static void AzureEmbeddings(
    [HttpTrigger(AuthorizationLevel.Anonymous, Route = "openai/deployments/{deployment}/embeddings")] HttpRequestData request)
    { }

    [Function("Rerank")]
    public static void Rerank([HttpTrigger(AuthorizationLevel.Anonymous, Route = "rerank")] HttpRequestData request) { }

    [Function("RerankVersioned")]
    public static void RerankVersioned([HttpTrigger(AuthorizationLevel.Anonymous, Route = "v1/rerank")] HttpRequestData request) { }

    [Function("Classify")]
    public static void Classify([HttpTrigger(AuthorizationLevel.Anonymous, Route = "classify")] HttpRequestData request) { }

    [Function("Series")]
    public static void Series([HttpTrigger(AuthorizationLevel.Anonymous, Route = "v1/series")] HttpRequestData request) { }

    [Function("SeriesByKey")]
    public static void SeriesByKey([HttpTrigger(AuthorizationLevel.Anonymous, Route = "v1/series/{key}")] HttpRequestData request) { }

    [Function("Models")]
    public static void Models([HttpTrigger(AuthorizationLevel.Anonymous, Route = "v1/models")] HttpRequestData request) { }

    [Function("ModelsById")]
    public static void ModelsById([HttpTrigger(AuthorizationLevel.Anonymous, Route = "v1/models/{*id}")] HttpRequestData request) { }

    [Function("Files")]
    public static void Files([HttpTrigger(AuthorizationLevel.Anonymous, Route = "v1/files")] HttpRequestData request) { }

    [Function("File")]
    public static void File([HttpTrigger(AuthorizationLevel.Anonymous, Route = "v1/files/{id}")] HttpRequestData request) { }

    [Function("FileContent")]
    public static void FileContent([HttpTrigger(AuthorizationLevel.Anonymous, Route = "v1/files/{id}/content")] HttpRequestData request) { }

    [Function("Batches")]
    public static void Batches([HttpTrigger(AuthorizationLevel.Anonymous, Route = "v1/batches")] HttpRequestData request) { }

    [Function("Batch")]
    public static void Batch([HttpTrigger(AuthorizationLevel.Anonymous, Route = "v1/batches/{id}")] HttpRequestData request) { }

    [Function("BatchCancel")]
    public static void BatchCancel([HttpTrigger(AuthorizationLevel.Anonymous, Route = "v1/batches/{id}/cancel")] HttpRequestData request) { }

    [Function("Request")]
    public static void Request([HttpTrigger(AuthorizationLevel.Anonymous, Route = "v1/requests/{id}")] HttpRequestData request) { }

    [Function("OpenInferenceServer")]
    public static void OpenInferenceServer([HttpTrigger(AuthorizationLevel.Anonymous, Route = "v2")] HttpRequestData request) { }

    [Function("OpenInferenceLive")]
    public static void OpenInferenceLive([HttpTrigger(AuthorizationLevel.Anonymous, Route = "v2/health/live")] HttpRequestData request) { }

    [Function("OpenInferenceReady")]
    public static void OpenInferenceReady([HttpTrigger(AuthorizationLevel.Anonymous, Route = "v2/health/ready")] HttpRequestData request) { }

    [Function("OpenInferenceModel")]
    public static void OpenInferenceModel([HttpTrigger(AuthorizationLevel.Anonymous, Route = "v2/models/{model}")] HttpRequestData request) { }

    [Function("OpenInferenceModelReady")]
    public static void OpenInferenceModelReady(
    [HttpTrigger(AuthorizationLevel.Anonymous, Route = "v2/models/{model}/ready")] HttpRequestData request)
    { }

    [Function("OpenInferenceInfer")]
    public static void OpenInferenceInfer([HttpTrigger(AuthorizationLevel.Anonymous, Route = "v2/models/{model}/infer")] HttpRequestData request) { }

    [Function("OpenInferenceVersion")]
    public static void OpenInferenceVersion(
    [HttpTrigger(AuthorizationLevel.Anonymous, Route = "v2/models/{model}/versions/{version}")] HttpRequestData request)
    { }

    [Function("OpenInferenceVersionReady")]
    public static void OpenInferenceVersionReady(
    [HttpTrigger(AuthorizationLevel.Anonymous, Route = "v2/models/{model}/versions/{version}/ready")] HttpRequestData request)
    { }

    [Function("OpenInferenceVersionInfer")]
    public static void OpenInferenceVersionInfer(
    [HttpTrigger(AuthorizationLevel.Anonymous, Route = "v2/models/{model}/versions/{version}/infer")] HttpRequestData request)
    { }

    [Function("OpenInferenceIndex")]
    public static void OpenInferenceIndex([HttpTrigger(AuthorizationLevel.Anonymous, Route = "v2/repository/index")] HttpRequestData request) { }

    [Function("OpenInferenceLoad")]
    public static void OpenInferenceLoad(
    [HttpTrigger(AuthorizationLevel.Anonymous, Route = "v2/repository/models/{model}/load")] HttpRequestData request)
    { }

    [Function("OpenInferenceUnload")]
    public static void OpenInferenceUnload(
    [HttpTrigger(AuthorizationLevel.Anonymous, Route = "v2/repository/models/{model}/unload")] HttpRequestData request)
    { }

    [Function("HealthLive")]
    public static void HealthLive([HttpTrigger(AuthorizationLevel.Anonymous, Route = "health/live")] HttpRequestData request) { }

    [Function("HealthReady")]
    public static void HealthReady([HttpTrigger(AuthorizationLevel.Anonymous, Route = "health/ready")] HttpRequestData request) { }

    [Function("ManageQueues")]
    public static void ManageQueues([HttpTrigger(AuthorizationLevel.Anonymous, Route = "manage/queues")] HttpRequestData request) { }

    [Function("ManageMessages")]
    public static void ManageMessages(
    [HttpTrigger(AuthorizationLevel.Anonymous, Route = "manage/queues/{class}/messages")] HttpRequestData request)
    { }

    [Function("ManageDeadLetters")]
    public static void ManageDeadLetters(
    [HttpTrigger(AuthorizationLevel.Anonymous, Route = "manage/queues/{class}/dead-letters")] HttpRequestData request)
    { }

    [Function("ManageRedrive")]
    public static void ManageRedrive([HttpTrigger(AuthorizationLevel.Anonymous, Route = "manage/queues/{class}/redrive")] HttpRequestData request) { }

    [Function("ManageKeys")]
    public static void ManageKeys([HttpTrigger(AuthorizationLevel.Anonymous, Route = "manage/keys")] HttpRequestData request) { }

    [Function("Metrics")]
    public static void Metrics([HttpTrigger(AuthorizationLevel.Anonymous, Route = "metrics")] HttpRequestData request) { }

    /// <summary>Every other address: the root, and what there is not, which is answered in the API's own shape too.</summary>
    [Function("UnmatchedRoute")]
    public static void UnmatchedRoute([HttpTrigger(AuthorizationLevel.Anonymous, Route = "{*path}")] HttpRequestData request) { }
}
