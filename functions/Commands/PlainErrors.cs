using R1Serverless.Auth;
using R1Serverless.Bench;
using R1Serverless.Engine.Devices;
using R1Serverless.Models;
using R1Serverless.Serving;
using R1Serverless.Storage;

namespace R1Serverless.Commands;

/// <summary>The boundary of a command: what a user can mend is said in one line on the error stream, with exit code 1; bugs keep their stack
/// trace.</summary>
internal static class PlainErrors
{
    private const int Failed = 1, Interrupted = 130;

    public static async Task<int> CatchAsync(Func<Task<int>> command)
    {
        try
        {
            return await command();
        }
        catch (Exception fault) when (IsPlain(fault))
        {
            return Say(fault);
        }
    }

    private static bool IsPlain(Exception fault) =>
        fault is InvalidModelException or ModelLoadException or InvalidDataException or IOException or UnauthorizedAccessException
            or OperationCanceledException
                or TimeoutException or HttpRequestException or BenchException or TransportException or InvalidKeysException;

    private static int Say(Exception fault)
    {
        var stopped = fault is OperationCanceledException;
        Console.Error.WriteLine(stopped ? "Stopped." : $"error: {DisplayFormat.Text(fault.Message)}");
        return stopped ? Interrupted : Failed;
    }
}
