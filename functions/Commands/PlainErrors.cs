using R1Serverless.Models;

namespace R1Serverless.Commands;

/// <summary>The boundary of a command: what a user can mend is said in one line on the error stream, with exit code 1; bugs keep their stack trace.</summary>
internal static class PlainErrors
{
    private const int Failed = 1, Interrupted = 130;

    public static int Catch(Func<int> command)
    {
        try
        {
            return command();
        }
        catch (Exception e) when (e is InvalidModelException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"error: {e.Message}");
            return Failed;
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine("Stopped.");
            return Interrupted;
        }
    }
}
